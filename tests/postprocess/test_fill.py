import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.postprocess.fill import fill_depth

HEIGHT, WIDTH = 48, 64


def wall(near: float = 2.0, far: float = 6.0) -> NDArray[np.float32]:
    """A slanted wall: inverse depth linear along the columns."""
    inverse = np.linspace(1 / near, 1 / far, WIDTH)
    return np.repeat((1 / inverse)[None], HEIGHT, axis=0).astype(np.float32)


def grey(value: int = 128) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def holed(depth: NDArray[np.float32], share: float, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return np.where(rng.uniform(size=depth.shape) < share, np.float32(0), depth)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("color", [None, grey()])
def test_measured_pixels_stay_bit_for_bit_and_all_is_filled(share: float, color: NDArray[np.uint8] | None) -> None:
    depth = holed(wall(), share)
    filled = fill_depth(depth, (depth > 0).astype(np.float32), color)
    assert filled.dtype == np.float32 and filled.shape == depth.shape
    assert np.isfinite(filled).all() and (filled > 0).all()
    assert filled[depth > 0].tobytes() == depth[depth > 0].tobytes()
    assert (filled >= depth[depth > 0].min()).all() and (filled <= depth.max()).all()


def test_holes_in_a_slanted_wall_are_closed_on_the_wall() -> None:
    depth = wall()
    depth[16:30, 20:40] = 0
    filled = fill_depth(depth, np.ones_like(depth), grey())
    np.testing.assert_allclose(filled, wall(), rtol=0.03)


def test_a_hole_in_an_object_takes_the_objects_depth() -> None:
    """Half of an object and the ground around that half were not measured; the photo shows where the object ends."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[12:36, 20:44] = True
    depth = np.where(inside, np.float32(2), np.float32(5))
    color = np.where(inside[..., None], np.uint8(200), grey(60))
    hole = np.zeros_like(inside)
    hole[8:40, 32:54] = True
    filled = fill_depth(np.where(hole, np.float32(0), depth), np.ones_like(depth), color)
    assert np.abs(filled[hole & inside] / 2 - 1).max() < 0.05
    assert np.abs(filled[hole & ~inside] / 5 - 1).max() < 0.1
    blind = fill_depth(np.where(hole, np.float32(0), depth), np.ones_like(depth), grey())
    assert np.abs(blind[hole & inside] / 2 - 1).max() > 0.2  # it is the colour that tells


def test_a_textured_surface_is_no_obstacle() -> None:
    rng = np.random.default_rng(2)
    color = rng.integers(90, 140, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    depth = wall()
    depth[16:30, 20:40] = 0
    filled = fill_depth(depth, np.ones_like(depth), color)
    np.testing.assert_allclose(filled, wall(), rtol=0.1)


def test_the_sky_goes_on_smoothly_where_the_roofs_end() -> None:
    depth = wall(2, 40)
    roof = 20 + (np.arange(WIDTH) % 9)
    depth[np.arange(HEIGHT)[:, None] < roof] = 0
    color = np.where((depth > 0)[..., None], grey(90), np.array([235, 240, 250], np.uint8))
    filled = fill_depth(depth, (depth > 0).astype(np.float32), color)
    sky = filled[:18]
    assert sky.min() >= 2 and sky.max() <= 40
    assert np.abs(np.diff(1 / sky, axis=0)).max() < 0.02 and np.abs(np.diff(1 / sky, axis=1)).max() < 0.02


def test_a_doubtful_outlier_counts_for_little() -> None:
    depth, confidence = np.zeros((33, 33), np.float32), np.zeros((33, 33), np.float32)
    depth[:, 0], confidence[:, 0] = 4, 1
    depth[:, 32], confidence[:, 32] = 4, 1
    depth[16, 16], confidence[16, 16] = 1, 0.03
    filled = fill_depth(depth, confidence)
    assert filled[16, 16] == 1
    assert np.median(filled) > 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3), (5, 4)])
def test_no_measured_pixel_at_all_makes_a_plane(shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.float32)
    filled = fill_depth(nothing, nothing, fallback_depth=3.5)
    assert filled.dtype == np.float32 and filled.shape == shape and (filled == 3.5).all()


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (2, 3), (5, 4), (33, 2)])
def test_a_single_measured_pixel_makes_a_plane(shape: tuple[int, int]) -> None:
    depth = np.zeros(shape, np.float32)
    depth[-1, -1] = 7.25
    np.testing.assert_array_equal(fill_depth(depth, depth / 8, np.zeros((*shape, 3), np.uint8)), np.float32(7.25))


def test_a_whole_map_is_copied() -> None:
    depth = wall()
    filled = fill_depth(depth, np.ones_like(depth), grey())
    assert filled.tobytes() == depth.tobytes() and not np.shares_memory(filled, depth)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e30])
def test_the_unit_does_not_matter(scale: float) -> None:
    depth = holed(wall(), 0.5)
    expected = fill_depth(depth, np.ones_like(depth)) * np.float32(scale)
    np.testing.assert_allclose(fill_depth(depth * np.float32(scale), np.ones_like(depth)), expected, rtol=1e-5)


def test_depths_of_every_size_at_once_stay_finite() -> None:
    depth = holed(wall(), 0.7)
    depth[0, :4] = [1e-38, 1e-20, 1e20, 3e38]
    filled = fill_depth(depth, np.ones_like(depth))
    assert np.isfinite(filled).all() and (filled > 0).all()
