"""The better guess: hypotheses close to the surface that was found, warped along it pixel by pixel.

Fronto-parallel planes tear the matching window apart on slanted surfaces; here the window follows the surface, so that
slanted ground and walls match as well as those that face the camera.
Imports numpy only; OpenCV is its neighbours' affair.
"""

import numpy as np

from ....progress import Cancel, check
from .filters import Map, bilateral, enlarge, median
from .matching import Matcher
from .plane_sweep import Guess
from .semi_global import aggregate, best, integer_cost
from .settings import DenseSettings


def enlarged(guess: Guess, shape: tuple[int, int]) -> Guess:
    """The guess at a larger size (h, w): median against speckles, then bilinear."""
    return Guess(enlarge(median(guess.inverse_depth, 3), shape), guess.step, enlarge(guess.score, shape))


def smooth(inverse_depth: Map, step: float) -> Map:
    """Median against speckles, then a bilateral filter that does not cross jumps of several planes."""
    return bilateral(median(inverse_depth, 5) / np.float32(step), 3.0, 5.0) * np.float32(step)


def refine(matcher: Matcher, guess: Guess, settings: DenseSettings, cancel: Cancel) -> Guess:
    """Inverse depth of every pixel, searched within `refine_steps` small steps around `guess`. Raises Cancelled."""
    base = smooth(guess.inverse_depth, guess.step)
    steps = settings.refine_steps
    offset = np.float32(settings.refine_step * guess.step)
    height, width = matcher.reference.shape
    cost = np.empty((height, 2 * steps + 1, width), dtype=np.uint16)
    for hypothesis in range(2 * steps + 1):
        check(cancel)
        cost[:, hypothesis] = integer_cost(matcher.score(base + np.float32(hypothesis - steps) * offset))
    small, large = settings.refine_small_change, settings.refine_large_change
    total = aggregate(cost, matcher.reference.grey, small, large, diagonal=False, cancel=cancel)
    position, score = best(cost, total)
    return Guess(base + (position - np.float32(steps)) * offset, guess.step, score)
