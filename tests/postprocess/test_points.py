import dataclasses
from typing import Any

import numpy as np
import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.geometry.projection import project
from vggt_addon.postprocess.depth_edges import depth_edges, fringe
from vggt_addon.postprocess.fill import fill_depth
from vggt_addon.postprocess.points import gather_points, sample_points
from vggt_addon.postprocess.support import ENOUGH, neighbour_support
from vggt_addon.reconstruction import LARGEST


def with_edges(view: Any) -> Any:
    relief = fill_depth(view.depth, view.confidence, view.color)
    return dataclasses.replace(view, relief_depth=relief, depth_edge=depth_edges(relief))


def test_every_point_is_a_pixel_of_its_view(parts: Any) -> None:
    views = [with_edges(view) for view in parts.courtyard(3).views]
    gathered = gather_points(views)
    assert gathered is not None and gathered.voxel == 0
    cloud = gathered.cloud
    assert len(cloud.position) == gathered.before
    for index, view in enumerate(views):
        own = cloud.view == index
        pixels, depth = project(view.intrinsics, view.camera_from_world, cloud.position[own])
        grid = pixels / 8
        np.testing.assert_allclose(grid - np.floor(grid), 0.5, atol=1e-6)
        columns, rows = np.floor(grid).astype(int).T
        np.testing.assert_allclose(depth, view.depth[rows, columns], rtol=1e-6)
        np.testing.assert_array_equal(cloud.color[own], view.color[rows, columns])
        np.testing.assert_array_equal(cloud.confidence[own], view.confidence[rows, columns])
        usable = (neighbour_support(view.depth) >= ENOUGH) & ~fringe(view.depth_edge)
        assert usable[rows, columns].all() and own.sum() == usable.sum()


def test_no_point_has_less_than_the_least_confidence(parts: Any) -> None:
    view = parts.courtyard(1).views[0]
    gathered = gather_points([view], confidence_floor=0.7)
    assert gathered is not None and gathered.cloud.confidence.min() > 0.7
    assert len(gathered.cloud.position) == (view.confidence > np.float32(0.7)).sum()
    assert gather_points([view], confidence_floor=1.0) is None


def test_lone_specks_are_no_points(parts: Any) -> None:
    view = parts.courtyard(1).views[0]
    depth, confidence = view.depth.copy(), view.confidence.copy()
    depth[:20], confidence[:20] = 0, 0
    depth[5, [10, 11]], confidence[5, [10, 11]] = 3, 0.9
    gathered = gather_points([dataclasses.replace(view, depth=depth, confidence=confidence)])
    assert gathered is not None
    assert not (gathered.cloud.confidence == np.float32(0.9)).any() and len(gathered.cloud.position) > 2000


def test_nothing_measured_makes_no_points(parts: Any) -> None:
    view = parts.courtyard(1).views[0]
    assert gather_points([dataclasses.replace(view, depth=None, confidence=None, color=None)]) is None
    assert gather_points([dataclasses.replace(view, depth=np.zeros_like(view.depth))]) is None


@pytest.mark.parametrize("budget", [1, 7, 100, 1000, 5000])
def test_thinning_meets_the_budget(parts: Any, budget: int) -> None:
    gathered = gather_points(parts.courtyard(6).views, budget)
    assert gathered is not None and gathered.before > 12_000
    assert 0.9 * budget <= len(gathered.cloud.position) <= budget


def test_each_voxel_keeps_its_most_confident_point(parts: Any) -> None:
    views = parts.courtyard(4).views
    gathered, everything = gather_points(views, 2000), gather_points(views)
    assert gathered is not None and everything is not None
    origin = np.median([-v.camera_from_world[:3, :3].T @ v.camera_from_world[:3, 3] for v in views], axis=0)
    best: dict[tuple[int, ...], float] = {}
    all_cells = np.floor((everything.cloud.position - origin) / gathered.voxel).astype(int)
    for cell, confidence in zip(all_cells.tolist(), everything.cloud.confidence.tolist(), strict=True):
        best[tuple(cell)] = max(confidence, best.get(tuple(cell), 0.0))
    cells = np.floor((gathered.cloud.position - origin) / gathered.voxel).astype(int)
    kept = {
        tuple(cell): confidence
        for cell, confidence in zip(cells.tolist(), gathered.cloud.confidence.tolist(), strict=True)
    }
    differing = [cell for cell, confidence in kept.items() if best[cell] != confidence]
    assert len(kept) == len(cells)  # no two in one voxel
    assert len(differing) <= 0.001 * len(kept) and abs(len(best) - len(kept)) <= 0.001 * len(best)  # float32 borders


def test_the_spacing_is_the_distance_between_neighbours(parts: Any) -> None:
    for budget in (10_000_000, 1500):
        gathered = gather_points(parts.courtyard(1, step=4).views, budget)
        assert gathered is not None
        position = gathered.cloud.position
        part = position[:: max(len(position) // 300, 1)]
        distances = np.linalg.norm(part[:, None] - position[None], axis=2)
        distances[distances == 0] = np.inf
        assert 0.4 < np.median(distances.min(axis=1)) / gathered.cloud.spacing < 1.6


def test_it_is_deterministic_and_keeps_the_order_of_views(parts: Any) -> None:
    first, second = (gather_points(parts.courtyard(4).views, 3000) for _ in range(2))
    assert first is not None and second is not None
    for name in ("position", "color", "confidence", "view"):
        assert getattr(first.cloud, name).tobytes() == getattr(second.cloud, name).tobytes()
    assert (np.diff(first.cloud.view) >= 0).all()


def test_a_world_far_from_its_own_zero_is_thinned_the_same(parts: Any) -> None:
    views = parts.courtyard(3).views
    shift = np.array([1e6, -2e6, 3e6])
    moved = []
    for view in views:
        camera = view.camera_from_world.copy()
        camera[:3, 3] -= camera[:3, :3] @ shift
        moved.append(dataclasses.replace(view, camera_from_world=camera))
    first, second = gather_points(views, 2000), gather_points(moved, 2000)
    assert first is not None and second is not None
    assert len(second.cloud.position) == pytest.approx(len(first.cloud.position), rel=0.01)
    assert second.voxel == pytest.approx(first.voxel, rel=1e-3)


def test_one_point_at_the_end_of_the_world_spoils_nothing(parts: Any) -> None:
    view = parts.courtyard(1, step=4).views[0]
    depth = view.depth.copy()
    depth[5, 5] = 0.99 * LARGEST
    far = dataclasses.replace(view, depth=depth, confidence=np.maximum(view.confidence, np.float32(0.1)))
    gathered = gather_points([far], 2000)
    assert gathered is not None
    assert 1800 <= len(gathered.cloud.position) <= 2000 and np.isfinite(gathered.cloud.position).all()
    assert gathered.cloud.spacing < 1


def test_many_points_in_one_place(parts: Any) -> None:
    """Two photos taken from the same place measure every point twice: no voxel can part them."""
    view = parts.courtyard(1).views[0]
    twin = dataclasses.replace(view, name="twin.jpg")
    count = int((view.depth > 0).sum())
    gathered = gather_points([view, twin], int(1.5 * count))
    assert gathered is not None
    assert 0.9 * count <= len(gathered.cloud.position) <= count and (gathered.cloud.view == 0).all()


def test_samples_are_spread_evenly_and_know_no_edges(parts: Any) -> None:
    views = parts.courtyard(4, step=4).views
    samples = sample_points(views, 3000)
    assert 2700 <= len(samples) <= 3000
    assert samples.tobytes() == sample_points([with_edges(view) for view in views], 3000).tobytes()
    near, far = (np.abs(samples[:, 1] - y) < 0.5 for y in (-3, 2.5))
    assert 0.5 < near.sum() / far.sum() < 2  # though a near strip fills many more pixels than a far one
    assert sample_points([dataclasses.replace(views[0], depth=None, confidence=None, color=None)]).shape == (0, 3)


def test_a_view_without_colour_is_grey(parts: Any) -> None:
    gathered = gather_points([dataclasses.replace(parts.courtyard(1).views[0], color=None)])
    assert gathered is not None and (gathered.cloud.color == 128).all()


def test_progress_never_falls_and_cancel_is_heard(parts: Any) -> None:
    told: list[float] = []
    gather_points(parts.courtyard(4).views, 1000, progress=lambda _, share: told.append(share))
    assert told == sorted(told) and told[-1] == 1.0 and min(told) >= 0
    with pytest.raises(Cancelled):
        gather_points(parts.courtyard(4).views, 1000, cancel=lambda: True)
