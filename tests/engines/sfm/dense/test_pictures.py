"""Pictures at several sizes, and the transfer of pixels between them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.pictures import picture, pixel_grid, transfer
from vggt_addon.engines.sfm.dense.records import DenseView
from vggt_addon.geometry.projection import project, unproject

Array = NDArray[Any]
NO_TRACKS = np.zeros(0, dtype=np.int64)
INTRINSICS = np.array([[50.0, 0, 20.7], [0, 52.0, 14.1], [0, 0, 1]])


def moved(angle: float, offset: tuple[float, float, float]) -> Array:
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    camera_from_world[:3, 3] = offset
    return camera_from_world


def view(camera_from_world: Array, shape: tuple[int, int] = (30, 40)) -> DenseView:
    random = np.random.default_rng(0)
    color = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    return DenseView("a", color, INTRINSICS, camera_from_world, NO_TRACKS)


def test_transfer_equals_projection_at_every_size() -> None:
    first, second = view(moved(0.1, (0.2, 0, 0.1))), view(moved(-0.2, (-0.4, 0.1, 0.3)))
    depth = np.random.default_rng(1).uniform(3, 9, (30, 40))
    columns, rows = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    pixels = np.stack([columns, rows], axis=-1)
    points = unproject(first.intrinsics, first.camera_from_world, pixels, depth)
    expected, expected_depth = project(second.intrinsics, second.camera_from_world, points)
    x, y, ratio = transfer(picture(first), picture(second))((1 / depth).astype(np.float32))
    np.testing.assert_allclose(np.stack([x, y], axis=-1) + 0.5, expected, atol=1e-3)
    np.testing.assert_allclose(ratio, expected_depth / depth, rtol=1e-5)


def test_the_camera_follows_the_picture_size() -> None:
    whole, half = picture(view(np.eye(4))), picture(view(np.eye(4)), 0.5)
    assert half.shape == (15, 20)
    corner = np.array([40.0, 30.0, 1.0]) - [0.5, 0.5, 0]
    ray = np.linalg.inv(whole.intrinsics) @ corner
    np.testing.assert_allclose(half.intrinsics @ ray, [19.5, 14.5, 1])
    np.testing.assert_allclose(half.grey[3, 4], whole.grey[6:8, 8:10].mean(), atol=1e-6)


def test_pixels_behind_the_other_camera_land_far_outside() -> None:
    ahead = view(moved(0, (0, 0, -100.0)))
    x, _, _ = transfer(picture(view(np.eye(4))), picture(ahead))(np.float32(1 / 5))
    assert (x < -1e5).all()


def test_a_world_far_from_its_origin_costs_no_precision() -> None:
    shift = np.eye(4)
    shift[:3, 3] = 1e6, -2e6, 3e6
    cameras = moved(0.1, (0.2, 0, 0.1)), moved(-0.2, (-0.4, 0.1, 0.3))
    near = transfer(*(picture(view(camera)) for camera in cameras))
    far = transfer(*(picture(view(camera @ shift)) for camera in cameras))
    for there, here in zip(far(np.float32(0.2)), near(np.float32(0.2)), strict=True):
        np.testing.assert_allclose(there, here, atol=1e-3)


def test_pixel_grid_is_columns_rows_ones() -> None:
    grid = pixel_grid((2, 3))
    np.testing.assert_array_equal(grid[:, 1, 2], [2, 1, 1])
