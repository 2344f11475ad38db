"""The first guess: every pixel tries planes across the whole depth range.

Source: R. Collins, "A Space-Sweep Approach to True Multi-Image Matching", CVPR 1996, with ZNCC and semi-global
aggregation. Planes face the camera and are spaced evenly in inverse depth, about one per pixel of motion.
Imports numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, check
from .filters import Map
from .matching import Matcher
from .pictures import Picture, transfer
from .semi_global import aggregate, integer_cost, minimum, score_of
from .settings import DenseSettings


@dataclass(frozen=True)
class Guess:
    """A surface seen from one photo."""

    inverse_depth: Map  # (h, w) 1 / world units
    step: float  # distance of two planes of the sweep, 1 / world units
    score: Map  # (h, w) ZNCC of the chosen hypothesis, [-1, 1]


def sweep(
    reference: Picture,
    neighbours: Sequence[Picture],
    nearest: float,
    farthest: float,
    settings: DenseSettings,
    cancel: Cancel,
) -> Guess:
    """Inverse depth of every pixel of `reference` between two depths. Raises Cancelled."""
    inverse_depths = planes(reference, neighbours, nearest, farthest, settings)
    matcher = Matcher(reference, neighbours, settings.sweep_radii)
    height, width = reference.shape
    cost = np.empty((height, len(inverse_depths), width), dtype=np.uint16)
    for plane, plane_inverse_depth in enumerate(inverse_depths):
        check(cancel)
        cost[:, plane] = integer_cost(matcher.score(np.float32(plane_inverse_depth)))
    total = aggregate(cost, reference.grey, settings.sweep_small_change, settings.sweep_large_change, cancel=cancel)
    index, position = minimum(total)
    chosen_cost = np.take_along_axis(cost, index[:, None], axis=1)[:, 0]
    step = float(inverse_depths[1] - inverse_depths[0])
    inverse_depth = (inverse_depths[0] + position * step).astype(np.float32)
    return Guess(inverse_depth, step, score_of(chosen_cost))


def planes(
    reference: Picture, neighbours: Sequence[Picture], nearest: float, farthest: float, settings: DenseSettings
) -> NDArray[np.float64]:
    """Inverse depths from far to near, so many that the middle pixel moves by about one pixel from one to the next."""
    ends = 1 / farthest, 1 / nearest
    row, column = reference.shape[0] // 2, reference.shape[1] // 2
    motions = []
    for neighbour in neighbours:
        to = transfer(reference, neighbour)
        start, end = (to.direction[:, row, column] + to.parallax * np.float32(end) for end in ends)
        if start[2] > 0 and end[2] > 0:
            motions.append(float(np.hypot(*(start[:2] / start[2] - end[:2] / end[2]))))
    count = np.median(motions) if motions else settings.maximum_planes
    return np.linspace(*ends, int(np.clip(count, settings.minimum_planes, settings.maximum_planes)))
