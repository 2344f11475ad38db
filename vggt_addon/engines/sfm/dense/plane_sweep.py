"""The first guess: every pixel tries planes across the whole depth range.

Source: R. Collins, "A Space-Sweep Approach to True Multi-Image Matching", CVPR 1996, with ZNCC and semi-global
aggregation. Planes face the camera and are spaced evenly in inverse depth, about one per pixel of motion.
Imports numpy only; OpenCV is its neighbours' affair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, check
from .filters import Map
from .matching import Matcher
from .semi_global import aggregate, best, integer_cost
from .settings import DenseSettings


@dataclass(frozen=True)
class Guess:
    """A surface seen from one photo."""

    inverse_depth: Map  # (h, w) 1 / world units
    step: float  # distance of two planes of the sweep, 1 / world units
    score: Map  # (h, w) ZNCC of the chosen hypothesis, [-1, 1]


def sweep(matcher: Matcher, nearest: float, farthest: float, settings: DenseSettings, cancel: Cancel) -> Guess:
    """Inverse depth of every pixel of the matcher's reference picture between two depths. Raises Cancelled."""
    inverse_depths = planes(matcher, nearest, farthest, settings)
    height, width = matcher.reference.shape
    cost = np.empty((height, len(inverse_depths), width), dtype=np.uint16)
    for plane, plane_inverse_depth in enumerate(inverse_depths):
        check(cancel)
        cost[:, plane] = integer_cost(matcher.score(np.float32(plane_inverse_depth)))
    small, large = settings.sweep_small_change, settings.sweep_large_change
    position, score = best(cost, aggregate(cost, matcher.reference.grey, small, large, cancel=cancel))
    step = float(inverse_depths[1] - inverse_depths[0])
    return Guess((inverse_depths[0] + position * step).astype(np.float32), step, score)


def planes(matcher: Matcher, nearest: float, farthest: float, settings: DenseSettings) -> NDArray[np.float64]:
    """Inverse depths from far to near, so many that the middle pixel moves by about one pixel from one to the next."""
    ends = 1 / farthest, 1 / nearest
    row, column = (side // 2 for side in matcher.reference.shape)
    motions = []
    for to in matcher.transfers:
        start, end = (to.direction[:, row, column] + to.parallax * np.float32(end) for end in ends)
        if start[2] > 0 and end[2] > 0:
            motions.append(float(np.hypot(*(start[:2] / start[2] - end[:2] / end[2]))))
    count = np.median(motions) if motions else settings.maximum_planes
    return np.linspace(*ends, int(np.clip(count, settings.minimum_planes, settings.maximum_planes)))
