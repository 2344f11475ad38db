"""Tilt a world by a known rotation and find its up direction again."""

from typing import Any

import numpy as np
import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.geometry.rotations import angle_between
from vggt_addon.postprocess.upright import find_ground, find_up, up_from_cameras

UP = np.array([0.0, 0, 1])


def error_degrees(found: Any, world: Any) -> float:
    return float(np.degrees(angle_between(found, world.up)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_ground_and_cameras_walking_round(make_world: Any, parts: Any, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    world = make_world(parts.ring(12, 5, 1.6), parts.ground(3000, rng), parts.clutter(4000, rng), parts.wall(3000, rng))
    world = world.tilted(seed, scale, 100.0)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.evidence == "ground plane"
    assert error_degrees(upright.up, world) < 0.3
    assert upright.ground is not None and upright.ground.inliers == pytest.approx(0.3, abs=0.05)
    on_ground = world.world_from_upright[:3, 3]  # the upright world's zero
    assert upright.up @ on_ground - upright.ground.plane.offset == pytest.approx(0, abs=0.02 * scale)


@pytest.mark.parametrize("pitch", [0.0, 15.0, 30.0])
def test_ground_and_cameras_in_a_row_that_look_the_same_way(make_world: Any, parts: Any, pitch: float) -> None:
    rng = np.random.default_rng(1)
    world = make_world(parts.row(6, pitch=pitch), parts.ground(3000, rng), parts.wall(5000, rng)).tilted(3)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.evidence == "ground plane"
    assert error_degrees(upright.up, world) < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_ground_outweighs_unsteady_hands(make_world: Any, parts: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cameras = parts.ring(10, 5, 1.6, rolls=np.radians(rng.uniform(-5, 5, 10)))
    world = make_world(cameras, parts.ground(2000, rng), parts.clutter(4000, rng)).tilted(seed)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.evidence == "ground plane"
    assert error_degrees(upright.up, world) < 0.3


@pytest.mark.parametrize("arc", [360.0, 90.0, 40.0])
def test_no_ground_at_all(make_world: Any, parts: Any, arc: float) -> None:
    rng = np.random.default_rng(2)
    cloud = rng.normal(size=(8000, 3)) + 3 * UP
    world = make_world(parts.ring(9, 6, 4, arc), cloud).tilted(5)
    upright = find_up(world.cameras_from_world, world.points)
    assert (upright.evidence, upright.ground) == ("cameras", None)
    assert error_degrees(upright.up, world) < 1.0


def test_a_facade_is_no_ground(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(2)
    world = make_world(parts.row(5), parts.wall(9000, rng)).tilted(7)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.evidence == "cameras"
    assert error_degrees(upright.up, world) < 0.5


def test_a_ceiling_is_no_ground(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(2)
    ceiling = parts.ground(4000, rng) + 2.5 * UP
    world = make_world(parts.ring(8, 1, 1.5), ceiling, parts.wall(2000, rng, height=2.4)).tilted(7)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.evidence == "cameras"
    assert error_degrees(upright.up, world) < 1.0


def test_the_floor_is_preferred_to_the_table(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(2)
    table = parts.ground(3500, rng, radius=1.0, noise=0.002) + 0.8 * UP
    world = make_world(parts.ring(8, 2.5, 1.7), table, parts.ground(2000, rng, radius=2.0, noise=0.002)).tilted(7)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.ground is not None
    height = upright.ground.plane.offset - upright.up @ world.world_from_upright[:3, 3]
    assert height == pytest.approx(0, abs=0.02)


def test_the_table_is_ground_where_hardly_any_floor_is_seen(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(2)
    table = parts.ground(5000, rng, radius=1.0, noise=0.002) + 0.8 * UP
    world = make_world(parts.ring(8, 2.5, 1.7), table, parts.clutter(3000, rng, 0.3) + 0.8 * UP).tilted(7)
    upright = find_up(world.cameras_from_world, world.points)
    assert upright.ground is not None
    assert upright.ground.plane.offset - upright.up @ world.world_from_upright[:3, 3] == pytest.approx(0.8, abs=0.02)


# Cameras alone


@pytest.mark.parametrize("height", [0.5, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("arc", [360.0, 120.0])
def test_level_cameras_agree_however_far_they_look_down(make_world: Any, parts: Any, height: float, arc: float) -> None:
    world = make_world(parts.ring(10, 5, height, arc)).tilted(4)
    found = up_from_cameras(world.cameras_from_world)
    assert error_degrees(found.direction, world) < 1.0


def test_a_row_of_level_cameras(make_world: Any, parts: Any) -> None:
    world = make_world(parts.row(5)).tilted(4)
    found = up_from_cameras(world.cameras_from_world)
    assert error_degrees(found.direction, world) < 0.1
    assert np.degrees(found.uncertainty) > 15  # their common pitch is a guess, and it says so


def test_walking_round_is_certain(make_world: Any, parts: Any) -> None:
    world = make_world(parts.ring(10, 5, 1.6)).tilted(4)
    assert np.degrees(up_from_cameras(world.cameras_from_world).uncertainty) < 3


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_photos_without_exif_orientation_are_outvoted(make_world: Any, parts: Any, quarter_turns: int) -> None:
    rolls = np.zeros(9)
    rolls[[2, 5, 7]] = quarter_turns * np.pi / 2
    for cameras in (parts.ring(9, 5, 1.6, rolls=rolls), parts.ring(9, 5, 3.0, arc=60, rolls=rolls)):
        world = make_world(cameras).tilted(6)
        assert error_degrees(up_from_cameras(world.cameras_from_world).direction, world) < 1.0


def test_a_single_camera_is_taken_as_level(make_world: Any, parts: Any) -> None:
    world = make_world(parts.row(1)).tilted(4)
    assert error_degrees(up_from_cameras(world.cameras_from_world).direction, world) < 1e-4


def test_photos_taken_straight_down_in_both_directions(make_world: Any, parts: Any) -> None:
    """A drone that flies to and fro: the tops of its photos point to opposite sides."""
    down = parts.camera_at(np.array([0, 0, 9.0]), np.array([1e-6, 0, 0]))
    turned = down.copy()
    turned[:3] = np.diag([-1.0, -1, 1]) @ down[:3]
    world = make_world(np.array([down, turned] * 3)).tilted(2)
    assert error_degrees(up_from_cameras(world.cameras_from_world).direction, world) < 1.0


# Details


def test_it_is_deterministic(make_world: Any, parts: Any) -> None:
    rng = np.random.default_rng(0)
    world = make_world(parts.ring(8, 5, 1.6), parts.ground(2000, rng), parts.clutter(20000, rng)).tilted(1)
    first, second = (find_up(world.cameras_from_world, world.points, seed=3) for _ in range(2))
    assert first.up.tobytes() == second.up.tobytes() and first.figures() == second.figures()


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((500, 3)), np.ones((500, 3)) * [1, 0, 0]])
def test_points_that_show_nothing(parts: Any, points: Any) -> None:
    assert find_up(parts.ring(4, 5, 1.6), points).evidence == "cameras"


def test_points_in_a_line_are_no_ground(parts: Any) -> None:
    line = np.linspace(-3, 3, 900)[:, None] * [1.0, 0.2, 0]
    assert find_ground(line, np.array([[0, 0, 2.0]]), np.array([0, 0, 1.0]), 0.5) is None


def test_the_search_can_be_cancelled(make_world: Any, parts: Any) -> None:
    world = make_world(parts.ring(8, 5, 1.6), parts.ground(2000, np.random.default_rng(0)))
    with pytest.raises(Cancelled):
        find_up(world.cameras_from_world, world.points, cancel=lambda: True)


def test_figures_are_plain(make_world: Any, parts: Any) -> None:
    world = make_world(parts.ring(8, 5, 1.6), parts.ground(2000, np.random.default_rng(0)))
    figures = find_up(world.cameras_from_world, world.points).figures()
    assert figures["up_evidence"] == "ground plane"
    assert all(value is None or type(value) in (str, float) for value in figures.values())
