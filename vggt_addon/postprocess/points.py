"""The coloured points of all views, thinned to a budget.

This module imports nothing beyond the standard library and numpy.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.projection import camera_center, grid_pixels, transform, unproject
from ..progress import Cancel, Progress, check, never, no_progress
from ..reconstruction import PointCloud, View
from ..settings import POINT_BUDGET
from .depth_edges import fringe
from .support import ENOUGH, neighbour_support

Float = NDArray[np.float64]

CONFIDENCE_FLOOR = 0.05
LEAST_OF_BUDGET = 0.9  # thinning lands between this share of the budget and the budget
ATTEMPTS = 20  # voxel sizes tried at most; two to four do, as a rule
SAMPLE = 50_000  # points that tell where the ground is and how large the scene
PIXELS_PER_SAMPLE = 8  # pixels looked at for each of them
BLOCK = 1 << 16  # points sorted into voxels at a time: their float64 copies stay in the cache
GREY = 128  # the colour of a view without a picture on its grid


@dataclass(frozen=True)
class _Samples:
    """Every pixel of every view that may become a point: m of them, sorted by view and pixel."""

    view: NDArray[np.int32]  # (m,) index of the view
    pixel: NDArray[np.int32]  # (m,) index into the view's flattened grid
    confidence: NDArray[np.float32]  # (m,)
    offset: NDArray[np.float32]  # (m, 3) world, from `_origin`: enough to sort into voxels, at half the memory


@dataclass(frozen=True)
class GatheredPoints:
    """The thinned points and how many there were."""

    cloud: PointCloud
    before: int  # pixels that could have become points
    voxel: float  # world units, 0 where nothing had to be thinned


def gather_points(
    views: Sequence[View],
    budget: int = POINT_BUDGET,
    confidence_floor: float = CONFIDENCE_FLOOR,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> GatheredPoints | None:
    """Points of all views where depth is measured, `confidence` > the floor, and the pixel neither on the fringe of a
    silhouette nor a lone speck.

    More than `budget` (>= 1) are thinned to one point in each voxel, the most confident, the voxel's size chosen so
    that 90 to 100 % of the budget remain. None where no pixel qualifies. Deterministic.
    """
    samples = _samples(views, confidence_floor, progress, cancel)
    if not len(samples.view):
        return None
    kept, voxel = _thinned(samples.offset, samples.confidence, budget, progress, cancel)
    cloud = _cloud(views, samples, kept, voxel)
    progress("Thinning points", 1.0)
    return GatheredPoints(cloud, len(samples.view), voxel)


def thin_points(
    cloud: PointCloud,
    views: Sequence[View],
    budget: int = POINT_BUDGET,
    confidence_floor: float = CONFIDENCE_FLOOR,
    voxel_before: float = 0.0,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> GatheredPoints | None:
    """An engine's own points, those of `confidence` > the floor thinned to the budget as `gather_points` does it.

    Edges of the depth maps are not asked: the points may not agree with these. `voxel_before` is what an earlier
    thinning took, so that doing it again changes nothing. None where no point qualifies. Deterministic.
    """
    usable = np.flatnonzero(cloud.confidence > confidence_floor)
    if not len(usable):
        return None
    offset = np.empty((len(usable), 3), np.float32)
    origin = _origin(views)
    for start in range(0, len(usable), BLOCK):
        offset[start : start + BLOCK] = cloud.position[usable[start : start + BLOCK]] - origin
    kept, voxel = _thinned(offset, cloud.confidence[usable], budget, progress, cancel)
    kept, voxel = usable[kept], max(voxel, voxel_before)
    footprint = _footprints(cloud.position[kept], cloud.view[kept], views)
    thinned = PointCloud(
        position=cloud.position[kept],
        color=cloud.color[kept],
        confidence=cloud.confidence[kept],
        view=cloud.view[kept],
        spacing=float(np.median(np.maximum(footprint, voxel))),
    )
    progress("Thinning points", 1.0)
    return GatheredPoints(thinned, len(usable), voxel)


def _thinned(
    offset: NDArray[np.float32], confidence: NDArray[np.float32], budget: int, progress: Progress, cancel: Cancel
) -> tuple[NDArray[np.int64], float]:
    """Which of m > 0 points remain, ascending, and the voxel's size: 0 where all do."""
    kept, voxel = np.arange(len(offset)), 0.0
    if len(kept) > budget:
        voxel, keys = _voxels_for(offset, budget, cancel)
        progress("Thinning points", 0.8)
        kept = _most_confident(keys, confidence)
        if len(kept) > budget:
            kept = kept[np.linspace(0, len(kept) - 1, budget).astype(np.int64)]
    return kept, voxel


def _footprints(position: Float, view_index: NDArray[np.int32], views: Sequence[View]) -> Float:
    """What one grid pixel of its view spans at each point, world units (n,); 0 behind the camera or without a grid."""
    footprint = np.zeros(len(position))
    for index, view in enumerate(views):
        own = view_index == index
        if own.any() and view.photo_from_grid is not None:
            depth = transform(view.camera_from_world, position[own])[:, 2]
            footprint[own] = np.maximum(depth, 0) * _grid_step(view)
    return footprint


def sample_points(views: Sequence[View], count: int = SAMPLE, cancel: Cancel = never) -> Float:
    """About `count` positions (m, 3), world, spread evenly over what was measured; fewer where less was.

    They depend on the measurements alone and on no setting, so that a scene stays where it is when an artist filters
    its points anew. Deterministic.
    """
    pixels = sum(view.depth.size for view in views if view.depth is not None)
    bare = [dataclasses.replace(view, relief_depth=None, depth_edge=None) for view in views]
    every = max(pixels // (PIXELS_PER_SAMPLE * count), 1)
    samples = _samples(bare, CONFIDENCE_FLOOR, no_progress, cancel, every)
    kept = np.arange(len(samples.view))
    if len(kept) > count:
        kept = _most_confident(_voxels_for(samples.offset, count, cancel)[1], samples.confidence)
    return np.asarray(_cloud(views, samples, kept, 0.0).position) if len(kept) else np.zeros((0, 3))


def _samples(views: Sequence[View], floor: float, progress: Progress, cancel: Cancel, every: int = 1) -> _Samples:
    """Every so many-th pixel that qualifies."""
    origin = _origin(views)
    nothing = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros((0, 3), np.float32)
    fields: list[list[NDArray[Any]]] = [[empty] for empty in nothing]
    for index, view in enumerate(views):
        check(cancel)
        progress("Gathering points", 0.5 * index / len(views))
        if view.depth is None or view.confidence is None or view.photo_from_grid is None:
            continue
        usable = (view.depth > 0) & (view.confidence > floor)
        usable &= neighbour_support(view.depth) >= ENOUGH
        if view.depth_edge is not None:
            usable &= ~fringe(view.depth_edge)
        pixel = np.flatnonzero(usable)[::every].astype(np.int32)
        offset = (_positions(view, pixel) - origin).astype(np.float32)
        for field, values in zip(
            fields, (np.full(len(pixel), index, np.int32), pixel, view.confidence.ravel()[pixel], offset), strict=True
        ):
            field.append(values)
    return _Samples(*(_joined(field) for field in fields))


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The parts as one array; they are let go, so that not all fields are held twice at a time."""
    whole: NDArray[Any] = np.concatenate(parts)
    parts.clear()
    return whole


def _origin(views: Sequence[View]) -> Float:
    """A place near the scene, so that float32 offsets from it are exact enough in worlds far from zero."""
    centers = camera_center(np.array([view.camera_from_world for view in views]))
    return np.asarray(np.median(centers, axis=0))


def _positions(view: View, pixel: NDArray[np.int32]) -> Float:
    """World positions (m, 3) of grid pixels, given by flat index (m,), at their measured depth."""
    assert view.depth is not None and view.photo_from_grid is not None
    at = grid_pixels(view.photo_from_grid, *view.depth.shape).reshape(-1, 2)[pixel]
    return unproject(view.intrinsics, view.camera_from_world, at, view.depth.ravel()[pixel].astype(np.float64))


def _grid_step(view: View) -> float:
    """What one grid pixel spans at depth 1."""
    assert view.photo_from_grid is not None
    columns, rows = np.diag(view.photo_from_grid)[:2] / np.diag(view.intrinsics)[:2]
    return float(np.sqrt(abs(columns * rows)))


def _voxels_for(offset: NDArray[np.float32], budget: int, cancel: Cancel) -> tuple[float, NDArray[np.int64]]:
    """A voxel size that leaves 90 to 100 % of the budget, and the voxel of each point as a sortable key.

    Bisection on the logarithm of the size, steered by the rule that surfaces fill size^-2 voxels, which is nearly
    right at once. Where no size lands there (a budget of a few points), the coarsest tried that leaves too many; where
    even the finest leaves too few (many points in one place), that.
    """
    low, high = 0.0, np.inf  # sizes that leave too many and too few
    size, last_count = _first_size(offset, budget), 0
    best: tuple[float, NDArray[np.int64]] | None = None
    for attempt in range(ATTEMPTS):
        check(cancel)
        keys = _keys(offset, size)
        count = _count(keys)
        if LEAST_OF_BUDGET * budget <= count <= budget:
            return size, keys
        if count > budget:
            low, best = size, (size, keys)
        else:
            high = size
            if best is None and (count <= 1.001 * last_count or attempt == ATTEMPTS - 1):
                return size, keys  # smaller voxels part no more points
            last_count = count
        guess = size * float(np.sqrt(count / (0.95 * budget)))
        bounded = low > 0 and np.isfinite(high)
        size = float(np.sqrt(low * high)) if bounded and (attempt >= 6 or not low < guess < high) else guess
    assert best is not None
    return best


def _first_size(offset: NDArray[np.float32], budget: int) -> float:
    """A size to start from: the middle 90 % of the points spread as the surface of their bounding box."""
    part = offset[:: max(len(offset) // 20000, 1)].astype(np.float64)
    spans = np.ptp(np.percentile(part, [5.0, 95.0], axis=0), axis=0)
    area = 2.0 * float(spans[0] * spans[1] + spans[1] * spans[2] + spans[2] * spans[0])
    largest = float(np.abs(part).max())
    return float(np.sqrt(area / budget)) or largest / budget or 1.0


def _keys(offset: NDArray[np.float32], size: float) -> NDArray[np.int64]:
    """One integer (m,) for each point's voxel: a linear hash, free of collisions up to about two million voxels a side.

    The multipliers are 2^64 / g, / g^2 and / g^3 with g the root of g^4 = g + 1, which spread best (Roberts, 2018).
    """
    keys = np.zeros(len(offset), np.uint64)
    for start in range(0, len(offset), BLOCK):
        part, own = offset[start : start + BLOCK].astype(np.float64), keys[start : start + BLOCK]
        for axis, multiplier in enumerate((0xD1B54A32D192ED03, 0xABC98388FB8FAC03, 0x8CB92BA72F3D8DD7)):
            cells = np.floor(part[:, axis] / size).clip(-(2.0**40), 2.0**40).astype(np.int64)
            own += cells.view(np.uint64) * np.uint64(multiplier)
    return keys.view(np.int64)


def _count(keys: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(_starts(np.sort(keys))))


def _most_confident(keys: NDArray[np.int64], confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """The index of the most confident point of each voxel, the first where several are; ascending."""
    order = np.argsort(keys, kind="stable")
    first = _starts(keys[order])
    ordered_confidence = confidence[order]
    best = np.maximum.reduceat(ordered_confidence, np.flatnonzero(first))
    group = np.cumsum(first, dtype=np.int32) - np.int32(1)
    candidates = np.flatnonzero(ordered_confidence == best[group])
    return np.sort(order[candidates[_starts(group[candidates])]])


def _starts(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Where in a sorted array (m,), m >= 1, a new value starts."""
    return np.concatenate([[True], ordered[1:] != ordered[:-1]])


def _cloud(views: Sequence[View], samples: _Samples, kept: NDArray[np.int64], voxel: float) -> PointCloud:
    view_index, pixel = samples.view[kept], samples.pixel[kept]
    position = np.empty((len(kept), 3), np.float64)
    color = np.full((len(kept), 3), GREY, np.uint8)
    footprint = np.empty(len(kept), np.float32)  # world units: what one grid pixel spans at the point
    for index, view in enumerate(views):
        start, stop = np.searchsorted(view_index, [index, index + 1])
        if start == stop:
            continue
        assert view.depth is not None
        position[start:stop] = _positions(view, pixel[start:stop])
        footprint[start:stop] = view.depth.ravel()[pixel[start:stop]].astype(np.float64) * _grid_step(view)
        if view.color is not None:
            color[start:stop] = view.color.reshape(-1, 3)[pixel[start:stop]]
    spacing = float(np.median(np.maximum(footprint, voxel)))
    return PointCloud(position, color, samples.confidence[kept], view_index, spacing)
