"""Matches between the photos that were compared, in their pixels, for whoever refines the cameras.

This module imports torch and numpy.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...progress import Cancel, Progress, check
from ...reconstruction import Matches
from ..vggt.framing import Framing
from .matching import matched_pixels
from .pair_maps import PairMaps

MOST_OF_A_PAIR = 5000  # matches, spread evenly over the first photo: more tell a refinement nothing new


def photo_matches(
    maps: PairMaps, framings: Sequence[Framing], views: Mapping[int, int], progress: Progress, cancel: Cancel
) -> Matches:
    """The matches of all pairs of placed photos.

    `framings` are of all pictures; `views` has the index of the view of each one that was placed. Of a pair's two
    directions the one counts of which the network is surer. Confidence: that of the less sure of both pixels, c >= 1,
    as 1 - 1/c. Raises Cancelled.
    """
    best = _best_directions(maps, views)
    found: list[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]] = []
    for done, edge in enumerate(best):
        check(cancel)
        progress("Matching photos", done / len(best))
        sides = [maps.map(edge, side) for side in (0, 1)]
        pairs = matched_pixels(sides[0], sides[1]).numpy()
        if len(pairs) > MOST_OF_A_PAIR:
            pairs = pairs[np.linspace(0, len(pairs) - 1, MOST_OF_A_PAIR).astype(np.int64)]
        pictures = maps.edges[edge]
        sure = np.minimum(*(sides[side][1].numpy()[pairs[:, side]] for side in (0, 1)))
        places = [_photo_pixels(framings[pictures[side]], pairs[:, side]) for side in (0, 1)]
        order = [0, 1] if views[pictures[0]] < views[pictures[1]] else [1, 0]
        numbers = [views[pictures[side]] for side in order]
        found.append(
            (
                np.tile(np.array(numbers, np.int32), (len(pairs), 1)),
                np.stack([places[side] for side in order], axis=1),
                (1 - 1 / sure).astype(np.float32),
            )
        )
    progress("Matching photos", 1.0)
    nothing = np.zeros((0, 2), np.int32), np.zeros((0, 2, 2), np.float32), np.zeros(0, np.float32)
    view, pixel, confidence = (np.concatenate(parts) for parts in zip(nothing, *found, strict=True))
    return Matches(view, pixel, confidence)


def _best_directions(maps: PairMaps, views: Mapping[int, int]) -> list[int]:
    """Of each two placed pictures that were compared the number of the surer pair, in the views' order."""
    scores = maps.scores()
    best: dict[tuple[int, int], int] = {}
    for number, (first, second) in enumerate(maps.edges):
        if first in views and second in views:
            low, high = sorted((views[first], views[second]))
            if (low, high) not in best or scores[number] > scores[best[low, high]]:
                best[low, high] = number
    return [best[pair] for pair in sorted(best)]


def _photo_pixels(framing: Framing, flat: NDArray[np.int64]) -> NDArray[np.float32]:
    """(m, 2) photo pixels of the centres of input pixels, given by their flat index (m,)."""
    rows, columns = np.divmod(flat, framing.input_width)
    at = np.stack([columns + 0.5, rows + 0.5], axis=1) @ framing.photo_from_input[:2, :2].T
    return np.asarray(at + framing.photo_from_input[:2, 2], np.float32)
