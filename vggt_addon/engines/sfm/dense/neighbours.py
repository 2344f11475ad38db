"""Which photos to match a photo against, and between which depths: both from the sparse points they share.

Imports numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....geometry.projection import camera_center, transform
from ....progress import Cancel, check, never
from .records import DenseView
from .settings import DenseSettings

COVERED_AGAIN = 0.6  # a point's worth for one more neighbour, per neighbour chosen that sees it already


@dataclass(frozen=True)
class Surroundings:
    """What the sparse points say about one photo."""

    neighbours: tuple[int, ...]  # indices of the other photos, best first
    nearest: float  # depth, world units: the sweep's near end
    farthest: float  # depth, world units: its far end


def surroundings(
    views: Sequence[DenseView],
    track_positions: NDArray[np.float64],
    settings: DenseSettings,
    cancel: Cancel = never,
) -> list[Surroundings | None]:
    """For every view its neighbours and depth range; None where a view shares too few points with every other.

    track_positions (m, 3) world, indexed by track id. Raises Cancelled.
    """
    observes = np.zeros((len(views), len(track_positions)), dtype=bool)
    for view, row in zip(views, observes, strict=True):
        row[view.track_ids] = True
    centers = np.array([camera_center(view.camera_from_world) for view in views]).reshape(-1, 3)
    found: list[Surroundings | None] = []
    for index, view in enumerate(views):
        check(cancel)
        seen = np.flatnonzero(observes[index])
        points = track_positions[seen]
        depths = transform(view.camera_from_world, points)[:, 2]
        worth = _worth(index, points, observes[:, seen], centers, settings)
        chosen = _choose(worth, max(settings.sweep_neighbours, settings.check_neighbours))
        if chosen and (depths > 0).any():
            nearest, farthest = _depth_range(depths[depths > 0], settings)
            found.append(Surroundings(chosen, nearest, farthest))
        else:
            found.append(None)
    return found


def _depth_range(depths: NDArray[np.float64], settings: DenseSettings) -> tuple[float, float]:
    nearest, farthest = np.percentile(depths, [settings.range_percentile, 100 - settings.range_percentile])
    return float(nearest * settings.range_near), float(farthest * settings.range_far)


def _worth(
    index: int,
    points: NDArray[np.float64],
    observed: NDArray[np.bool_],
    centers: NDArray[np.float64],
    settings: DenseSettings,
) -> NDArray[np.float64]:
    """Worth of every other photo at each of this photo's points: (views, points), 0 where the point is not shared.

    A Gaussian of the angle between the two rays (as in Yao et al., "MVSNet", 2018, section 4.1), times the ratio of
    the two distances: a photo from much farther away is too coarse, one from much nearer sees too little.
    """
    worth = np.zeros(observed.shape)
    own_ray = centers[index] - points
    own_distance = np.linalg.norm(own_ray, axis=1)
    for other in range(len(centers)):
        shared = np.flatnonzero(observed[other])
        if other == index or len(shared) < settings.minimum_shared_points:
            continue
        ray = centers[other] - points[shared]
        distance = np.linalg.norm(ray, axis=1)
        lengths = np.maximum(distance * own_distance[shared], 1e-300)
        cosine = np.clip((ray * own_ray[shared]).sum(axis=1) / lengths, -1, 1)
        angle = np.degrees(np.arccos(cosine)) - settings.best_angle
        spread = np.where(angle < 0, settings.angle_spread_below, settings.angle_spread_above)
        ratio = distance / np.maximum(own_distance[shared], 1e-300)
        nearness = np.minimum(ratio, 1 / np.maximum(ratio, 1e-300))
        worth[other, shared] = np.exp(-(angle**2) / (2 * spread**2)) * nearness
    return worth


def _choose(worth: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Up to `count` photos, greedily by the worth they add; points that are seen already add less, so that the
    chosen ones together see the whole photo. Ties go to the lower index."""
    value = np.ones(worth.shape[1])
    chosen: list[int] = []
    for _ in range(count):
        gain = worth @ value
        gain[chosen] = 0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        value = np.where(worth[best] > 0, value * COVERED_AGAIN, value)
    return tuple(chosen)
