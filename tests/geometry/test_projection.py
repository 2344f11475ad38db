"""Projection recovers what unprojection placed, and the other way round."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.geometry.projection import (
    camera_center,
    grid_pixels,
    inverse_rigid,
    project,
    scale_pixels,
    transform,
    unproject,
)

INTRINSICS = np.array([[800.0, 0, 330], [0, 800.0, 215], [0, 0, 1]])


@pytest.fixture
def camera_from_world() -> NDArray[np.float64]:
    """Any rigid transform."""
    random = np.random.default_rng(1)
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = random.normal(size=3)
    return pose


def test_there_and_back(camera_from_world: NDArray[np.float64]) -> None:
    random = np.random.default_rng(2)
    pixels, depth = random.uniform(0, 640, (50, 2)), random.uniform(0.5, 20, 50)
    points = unproject(INTRINSICS, camera_from_world, pixels, depth)
    found, found_depth = project(INTRINSICS, camera_from_world, points)
    assert np.allclose(found, pixels) and np.allclose(found_depth, depth)


def test_axes() -> None:
    """x right, y down, z forward; the principal point is where the axis goes through."""
    pixels, depth = project(INTRINSICS, np.eye(4), np.array([[0.0, 0, 2], [1.0, 0, 2], [0, 1.0, 2], [0, 0, -1.0]]))
    assert np.allclose(pixels[0], (330, 215))
    assert np.allclose(pixels[1], (330 + 400, 215)), "right in the world is right in the picture"
    assert np.allclose(pixels[2], (330, 215 + 400)), "down is down"
    assert np.isnan(pixels[3]).all() and depth[3] == -1, "behind the camera there is no pixel"


def test_inverse_and_centre(camera_from_world: NDArray[np.float64]) -> None:
    assert np.allclose(inverse_rigid(camera_from_world) @ camera_from_world, np.eye(4))
    assert np.allclose(transform(camera_from_world, camera_center(camera_from_world)), 0, atol=1e-12)
    several = np.array([camera_from_world, inverse_rigid(camera_from_world), np.eye(4)])
    assert np.allclose(camera_center(several), [camera_center(one) for one in several])


def test_grid_pixels_are_centres() -> None:
    pixels = grid_pixels(scale_pixels(4.0, 4.0), 3, 5)
    assert pixels.shape == (3, 5, 2)
    assert np.allclose(pixels[0, 0], (2, 2)) and np.allclose(pixels[2, 4], (18, 10))
