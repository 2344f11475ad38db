"""Why photos could not be placed, in one sentence for the artist.

This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence

from .solution import MatchedPair, Solution

SAME_PICTURE = 0.002  # median shift, share of the long side: re-encoded, resized or re-exported copies stay below it
CONNECTED = 15  # inlier matches, COLMAP's own bound for a verified pair


def explain_failure(solutions: Sequence[Solution], photo_count: int) -> str:
    """The sentence for a run in which no attempt gave a model that can be trusted."""
    pairs = [pair for solution in solutions for pair in solution.pairs if pair.inliers >= CONNECTED]
    if not pairs:
        return (
            "The photos share no detail that could be recognised: take them from closer together, so that neighbours "
            "show at least two thirds of the same things, and avoid blank or blurred pictures."
        )
    if all(pair.median_shift < SAME_PICTURE for pair in pairs):
        return (
            "The photos show the same picture: a scene needs at least two photos taken from different places, with a "
            "step to the side between them."
        )
    if any(solution.only_turned for solution in solutions):
        return (
            "The camera was only turned, not moved: depth needs a step to the side between photos. Take them again "
            "while walking around the subject."
        )
    if photo_count == 2:
        return (
            "The two photos could not be placed against each other: they share too little, or the camera hardly moved "
            "between them. Add a photo taken from in between or from a step aside."
        )
    return (
        "No arrangement of cameras explains the photos: some overlap, but too little to build on. Add photos from in "
        "between, taken with a step to the side each."
    )


def explain_left_out(copy_name: str, solution: Solution) -> str:
    """The sentence for one photo that the chosen solution does not place."""
    connected = [
        pair for pair in solution.pairs if copy_name in (pair.first, pair.second) and pair.inliers >= CONNECTED
    ]
    if not connected:
        return "It shares no recognisable detail with the other photos."
    if _is_same_picture(connected):
        return "It shows the same picture as another photo."
    for names in solution.other_models:
        if copy_name in names:
            return f"It fits {len(names) - 1} other photos, but that group could not be joined to the rest."
    return "It overlaps too little with the photos that were placed."


def _is_same_picture(pairs: Sequence[MatchedPair]) -> bool:
    return any(pair.median_shift < SAME_PICTURE and pair.inliers > 5 * CONNECTED for pair in pairs)
