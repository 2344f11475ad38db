"""A second start for the search: what a photo could not find alone, its surroundings and the other photos may know.

After the first comparison every photo has pixels that several photos agree on. For the others this file gathers
guesses: the surfaces that neighbours measured there, and the nearer and the farther of the surfaces around (a pixel
beside a silhouette belongs to one of the two). The guess that looks best is the start of another refinement.
Imports numpy and OpenCV only.
"""

from collections.abc import Sequence

import numpy as np

from ....progress import Cancel, check
from .filters import Map, largest_around
from .matching import Matcher
from .pictures import Picture, transfer
from .plane_sweep import Guess
from .records import DepthMap
from .settings import DenseSettings


def better_start(
    matcher: Matcher,
    guess: Guess,
    measured: DepthMap,
    others: Sequence[tuple[Picture, DepthMap]],
    radii: Sequence[int],
    settings: DenseSettings,
    cancel: Cancel,
) -> Guess:
    """The guess, with what was measured where it was, and the best-looking candidate elsewhere. Raises Cancelled.

    radii: pixels, how far measured surfaces are extended beyond their borders.
    """
    known = measured.depth > 0
    sure = inverse(measured.depth)
    candidates = [splat(matcher.reference, others, cancel)]
    for radius in radii:
        candidates.append(largest_around(sure, radius))
        candidates.append(inverse(largest_around(measured.depth, radius)))
    best = guess.inverse_depth
    best_score = matcher.score(best)
    for candidate in candidates:
        check(cancel)
        usable = candidate > 0
        trial = np.where(known, sure, np.where(usable, candidate, best))
        score = np.where(usable, matcher.score(trial), -1)
        better = score > best_score + np.float32(settings.guide_gain)
        best = np.where(better, trial, best)
        best_score = np.where(better, score, best_score)
    return Guess(np.where(known, sure, best).astype(np.float32), guess.step, best_score.astype(np.float32))


def inverse(depth: Map) -> Map:
    """1 / depth, 0 where unknown."""
    return np.where(depth > 0, 1 / np.maximum(depth, np.finfo(np.float32).tiny), 0).astype(np.float32)


def splat(reference: Picture, others: Sequence[tuple[Picture, DepthMap]], cancel: Cancel) -> Map:
    """Inverse depth (h, w) of the others' measured points in the reference picture, the nearest first; 0 for none."""
    height, width = reference.shape
    nearest = np.zeros(height * width, dtype=np.float32)
    for picture, depth_map in others:
        check(cancel)
        theirs = inverse(depth_map.depth)
        x, y, ratio = transfer(picture, reference)(theirs)
        inside = (theirs > 0) & (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        place = np.rint(y[inside]).astype(np.intp) * width + np.rint(x[inside]).astype(np.intp)
        np.maximum.at(nearest, place, theirs[inside] / ratio[inside])
    return nearest.reshape(height, width)
