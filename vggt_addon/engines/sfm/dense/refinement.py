"""The better guess: hypotheses close to the surface that was found, warped along it pixel by pixel.

Fronto-parallel planes tear the matching window apart on slanted surfaces; here the window follows the surface, so that
slanted ground and walls match as well as those that face the camera. Imports numpy only.
"""

from collections.abc import Sequence

import numpy as np

from ....progress import Cancel, check
from .filters import Map, bilateral, enlarge, median
from .matching import Matcher
from .pictures import Picture
from .plane_sweep import Guess
from .semi_global import aggregate, integer_cost, minimum, score_of
from .settings import DenseSettings


def enlarged(guess: Guess, shape: tuple[int, int]) -> Guess:
    """The guess at a larger size (h, w): median against speckles, then bilinear."""
    return Guess(enlarge(median(guess.inverse_depth, 3), shape), guess.step, enlarge(guess.score, shape))


def smooth(inverse_depth: Map, step: float) -> Map:
    """Median against speckles, then a bilateral filter that does not cross jumps of several planes."""
    return bilateral(median(inverse_depth, 5) / np.float32(step), 3.0, 5.0) * np.float32(step)


def refine(
    reference: Picture, neighbours: Sequence[Picture], guess: Guess, settings: DenseSettings, cancel: Cancel
) -> Guess:
    """Inverse depth of every pixel, searched within `refine_steps` small steps around `guess`. Raises Cancelled."""
    base = smooth(guess.inverse_depth, guess.step)
    steps = settings.refine_steps
    offset = settings.refine_step * guess.step
    matcher = Matcher(reference, neighbours, settings.refine_radii)
    height, width = reference.shape
    cost = np.empty((height, 2 * steps + 1, width), dtype=np.uint16)
    for hypothesis in range(2 * steps + 1):
        check(cancel)
        cost[:, hypothesis] = integer_cost(matcher.score(base + np.float32((hypothesis - steps) * offset)))
    small, large = settings.refine_small_change, settings.refine_large_change
    total = aggregate(cost, reference.grey, small, large, diagonal=False, cancel=cancel)
    index, position = minimum(total)
    chosen_cost = np.take_along_axis(cost, index[:, None], axis=1)[:, 0]
    inverse_depth = base + (position - np.float32(steps)) * np.float32(offset)
    return Guess(inverse_depth.astype(np.float32), guess.step, score_of(chosen_cost))
