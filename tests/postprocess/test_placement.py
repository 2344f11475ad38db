"""Place a world that was tilted, scaled and moved, and find it standing as an artist wants it."""

from typing import Any

import numpy as np
import pytest

from vggt_addon.geometry.projection import camera_center, transform
from vggt_addon.postprocess.placement import place
from vggt_addon.postprocess.upright import find_up
from vggt_addon.reconstruction import Reconstruction


def placed(world: Any, reference: int = 0, **named: Any) -> tuple[Any, Any]:
    """The placement and the points in the scene."""
    upright = find_up(world.cameras_from_world, world.points)
    placement = place(upright, world.cameras_from_world, world.points, reference, **named)
    return placement, transform(placement.scene_from_world, world.points)


def looking(placement: Any, camera_from_world: Any) -> Any:
    direction = placement.scene_from_world[:3, :3] @ camera_from_world[2, :3]
    return direction / np.linalg.norm(direction)


@pytest.fixture
def courtyard(make_world: Any, parts: Any) -> Any:
    rng = np.random.default_rng(0)
    return make_world(parts.ring(8, 5, 1.6), parts.ground(4000, rng), parts.clutter(3000, rng), parts.wall(3000, rng))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("scale", "distance"), [(1.0, 0.0), (1e-4, 10.0), (1e4, 1e7)])
def test_it_stands_on_the_ground_in_front_of_the_artist(
    courtyard: Any, seed: int, scale: float, distance: float
) -> None:
    world = courtyard.tilted(seed, scale, distance)
    placement, points = placed(world, reference=3)
    Reconstruction((), "sfm", scene_from_world=placement.scene_from_world)  # refuses what is no similarity
    assert placement.floor == "ground plane" and placement.figures()["scale_is_metric"] is False
    unit = placement.scale * scale  # scene units in one unit of the upright world
    assert np.percentile(points[:4000, 2], [5, 95]) == pytest.approx([0, 0], abs=0.05 * unit)
    np.testing.assert_allclose(np.median(points, axis=0)[:2], 0, atol=1e-6)
    direction = looking(placement, world.cameras_from_world[3])
    assert direction[0] == pytest.approx(0, abs=1e-6) and direction[1] > 0.9
    for camera in world.cameras_from_world:
        assert transform(placement.scene_from_world, camera_center(camera))[2] == pytest.approx(1.6 * unit, rel=0.05)


def test_what_is_near_the_cameras_spans_ten_units(courtyard: Any) -> None:
    backdrop = np.random.default_rng(1).normal(size=(900, 3)) * [300, 300, 2]
    world = courtyard.__class__(
        courtyard.cameras_from_world, np.concatenate([courtyard.points, backdrop]), np.eye(4)
    ).tilted(2, 37.0)
    _, points = placed(world)
    spans = np.ptp(np.percentile(points[: len(courtyard.points)], [2, 98], axis=0), axis=0)
    assert 8 < spans.max() < 12
    _, smaller = placed(world, extent=5.0)
    np.testing.assert_allclose(smaller, points / 2, atol=1e-9)


def test_the_scene_does_not_depend_on_the_worlds_frame(courtyard: Any) -> None:
    """Up to what the search for the ground samples, which is the same points either way."""
    _, first = placed(courtyard.tilted(1, 3.0, 5.0))
    _, second = placed(courtyard.tilted(2, 0.1, 50.0))
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_without_ground_the_lowest_points_are_the_floor(make_world: Any, parts: Any) -> None:
    cloud = np.random.default_rng(0).normal(size=(5000, 3))
    placement, points = placed(make_world(parts.ring(8, 6, 1), cloud).tilted(3))
    assert placement.floor == "lowest points"
    assert np.percentile(points[:, 2], 2) == pytest.approx(0, abs=1e-9)


def test_a_camera_that_looks_straight_down_has_its_top_at_y(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(0)
    cameras = parts.ring(6, 5, 4)
    down = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 8], [0, 0, 0, 1]])
    world = make_world(np.concatenate([cameras, down[None]]), parts.ground(4000, rng), parts.clutter(500, rng))
    placement, _ = placed(world.tilted(4), reference=6)
    top = placement.scene_from_world[:3, :3] @ -world.tilted(4).cameras_from_world[6, 1, :3]
    np.testing.assert_allclose(top / np.linalg.norm(top), [0, 1, 0], atol=0.01)


def test_cameras_without_any_depth_are_placed_by_themselves(make_world: Any, parts: Any) -> None:
    world = make_world(parts.ring(8, 6, 1)).tilted(3, 100.0, 3.0)
    placement, _ = placed(world)
    centers = np.array([transform(placement.scene_from_world, camera_center(c)) for c in world.cameras_from_world])
    assert np.ptp(centers, axis=0).max() == pytest.approx(10, rel=0.1)
    assert placement.floor == "lowest camera" and centers[:, 2].min() == pytest.approx(0, abs=1e-9)


def test_a_single_camera_without_depth_keeps_its_unit(make_world: Any, parts: Any) -> None:
    world = make_world(parts.row(1)).tilted(3)
    placement, _ = placed(world)
    assert placement.scale == 1.0
    np.testing.assert_allclose(
        transform(placement.scene_from_world, camera_center(world.cameras_from_world[0])), 0, atol=1e-9
    )
    np.testing.assert_allclose(looking(placement, world.cameras_from_world[0]), [0, 1, 0], atol=1e-6)
