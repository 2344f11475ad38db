import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.postprocess.depth_edges import depth_edges, fringe

HEIGHT, WIDTH, FOCAL = 60, 80, 70.0
COLUMNS, ROWS = np.meshgrid(np.arange(WIDTH) + 0.5 - WIDTH / 2, np.arange(HEIGHT) + 0.5 - HEIGHT / 2)


def plane(slope_x: float, slope_y: float, distance: float = 3.0) -> NDArray[np.float32]:
    """Depth of a plane whose inverse depth changes by the slopes over one focal length."""
    inverse = (1 + slope_x * COLUMNS / FOCAL + slope_y * ROWS / FOCAL) / distance
    assert inverse.min() > 0
    return (1 / inverse).astype(np.float32)


def noisy(depth: NDArray[np.float32], share: float, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (depth * (1 + share * rng.normal(size=depth.shape))).astype(np.float32)


@pytest.mark.parametrize(("slope_x", "slope_y"), [(0, 0), (1.7, 0), (0, 2.3), (-1.0, 0.9), (0.2, -1.9)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_plane_has_no_edges_however_slanted(slope_x: float, slope_y: float, scale: float) -> None:
    assert not depth_edges(plane(slope_x, slope_y) * np.float32(scale)).any()


def test_the_ground_up_to_the_horizon_has_no_edges() -> None:
    depth = np.repeat((1.6 * FOCAL / (np.arange(HEIGHT, 0, -1) - 0.5))[:, None], WIDTH, axis=1).astype(np.float32)
    assert depth.max() / depth.min() > 100
    assert not depth_edges(depth[::-1]).any()


def test_a_wall_on_the_ground_has_no_edges_at_its_foot() -> None:
    rows = np.arange(HEIGHT) - HEIGHT / 2
    ground = 1.6 * FOCAL / np.maximum(rows, 0.1)
    depth = np.repeat(np.minimum(ground, 30.0)[:, None], WIDTH, axis=1).astype(np.float32)
    assert not depth_edges(depth).any()


def test_a_ridge_and_a_ball_have_no_edges() -> None:
    ridge = (3 + np.abs(COLUMNS) * 0.15).astype(np.float32)
    assert not depth_edges(ridge).any()
    bowl = 5 - np.sqrt(4 - (COLUMNS / WIDTH) ** 2 - (ROWS / WIDTH) ** 2)
    assert not depth_edges(bowl.astype(np.float32)).any()


@pytest.mark.parametrize("share", [0.0, 0.003])
@pytest.mark.parametrize(("slope_x", "slope_y"), [(0, 0), (0.9, -0.6)])
def test_a_jump_is_found_all_of_it_and_nothing_else(share: float, slope_x: float, slope_y: float) -> None:
    depth = plane(slope_x, slope_y)
    inside = (np.abs(COLUMNS + 5) < 20) & (np.abs(ROWS - 3) < 14)
    depth[inside] *= np.float32(0.8)
    corners = np.stack([inside[:-1, :-1], inside[:-1, 1:], inside[1:, :-1], inside[1:, 1:]])
    np.testing.assert_array_equal(depth_edges(noisy(depth, share)), corners.any(0) & ~corners.all(0))


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_edges(seed: int) -> None:
    assert not depth_edges(noisy(plane(0.8, -1.1), 0.003, seed)).any()


def test_grain_is_cut_only_where_it_jumps_far() -> None:
    """Leaves at two depths 4 % apart before a wall at twice the depth: the plant stays whole and comes off the wall."""
    rng = np.random.default_rng(0)
    leaves = np.abs(COLUMNS) < 20
    depth = np.where(leaves, np.where(rng.uniform(size=COLUMNS.shape) < 0.5, 3.0, 3.12), 6.0).astype(np.float32)
    edges = depth_edges(depth)
    border = leaves[:-1, :-1] != leaves[1:, 1:]
    assert edges[border].all()
    assert edges[~border].mean() < 0.02


def test_a_fence_is_cut_bar_by_bar() -> None:
    depth = np.where(np.arange(40) // 2 % 2, 3.0, 6.0).astype(np.float32)[None].repeat(20, axis=0)
    edges = depth_edges(depth)
    assert edges[:, 1:-1:2].all() and not edges[:, 2:-1:2].any()


def test_a_small_jump_counts_by_the_step_asked_for() -> None:
    depth = plane(0, 0)
    depth[:, 40:] *= np.float32(1.04)
    found = depth_edges(depth)
    assert found[:, 39].all() and found.sum() == HEIGHT - 1
    assert not depth_edges(depth, step=0.06).any()


@pytest.mark.parametrize("width", [2, 3])
def test_a_blurred_jump_is_cut_right_across(width: int) -> None:
    share = np.clip((COLUMNS + width / 2) / width, 0, 1)
    depth = (1 / (1 / 2.0 + (1 / 4.0 - 1 / 2.0) * share)).astype(np.float32)
    ramp = np.abs(np.diff(depth, axis=1)) > 1e-6
    found = depth_edges(depth)
    assert found.any(axis=1).all()
    assert not (found & ~(ramp[:-1] | ramp[1:])).any()


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_thin_pole_is_cut_loose_on_both_sides(width: int) -> None:
    depth = np.full((20, 30), 9, np.float32)
    depth[:, 12 : 12 + width] = 3
    expected = np.zeros((19, 29), bool)
    expected[:, [11, 11 + width]] = True
    np.testing.assert_array_equal(depth_edges(depth), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (3, 2)])
def test_small_grids(shape: tuple[int, int]) -> None:
    assert depth_edges(np.ones(shape, np.float32)).shape == (shape[0] - 1, shape[1] - 1)


def test_a_jump_in_the_smallest_grid() -> None:
    assert depth_edges(np.array([[1, 2], [1, 2]], np.float32)).all()


@pytest.mark.parametrize("value", [0, -1, np.nan])
def test_holes_are_refused(value: float) -> None:
    depth = plane(0, 0)
    depth[3, 4] = value
    with pytest.raises(ValueError, match="> 0 everywhere"):
        depth_edges(depth)


def test_the_fringe_is_the_corners_of_marked_cells() -> None:
    edges = np.zeros((9, 12), bool)
    edges[1, 2] = True
    expected = np.zeros((10, 13), bool)
    expected[1:3, 2:4] = True
    np.testing.assert_array_equal(fringe(edges), expected)


def test_a_plant_is_no_fringe() -> None:
    edges = np.zeros((40, 60), bool)
    edges[:, 3] = True
    edges[10:30, 25:50] = np.random.default_rng(0).uniform(size=(20, 25)) < 0.8
    found = fringe(edges)
    assert found[:, 3:5].all() and not found[15:25, 30:45].any()
