"""The pinhole camera: world to pixels and back.

Conventions (stated in `reconstruction`): OpenCV camera axes (x right, y down, z forward), pixel centres at +0.5.
This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def transform(target_from_source: Float, points: Float) -> Float:
    """Apply a 4x4 affine transform: points (..., 3) in the source frame to (..., 3) in the target frame, float64."""
    return np.asarray(points @ target_from_source[:3, :3].T + target_from_source[:3, 3], dtype=np.float64)


def inverse_rigid(target_from_source: Float) -> Float:
    """Inverse of a rigid 4x4 transform: R, t becomes R^T, -R^T t. float64."""
    source_from_target = np.eye(4)
    rotation = target_from_source[:3, :3].T
    source_from_target[:3, :3] = rotation
    source_from_target[:3, 3] = -rotation @ target_from_source[:3, 3]
    return source_from_target


def camera_center(camera_from_world: Float) -> Float:
    """Where cameras (..., 4, 4) stand: (..., 3) float64, world frame. C = -R^T t."""
    rotation, translation = camera_from_world[..., :3, :3], camera_from_world[..., :3, 3]
    return np.asarray(-np.einsum("...ij,...i->...j", rotation, translation), dtype=np.float64)


def project(intrinsics: Float, camera_from_world: Float, points: Float) -> tuple[Float, Float]:
    """World points (..., 3) to pixels (..., 2) and depth along the optical axis (...), both float64.

    x = K (R X + t), pixel = x[:2] / x[2]. Points at or behind the camera's plane get NaN pixels.
    """
    in_camera = transform(camera_from_world, points)
    depth = in_camera[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        homogeneous = in_camera @ intrinsics.T
        pixels = homogeneous[..., :2] / homogeneous[..., 2:]
    return np.where(depth[..., None] > 0, pixels, np.nan), depth


def unproject(intrinsics: Float, camera_from_world: Float, pixels: Float, depth: Float) -> Float:
    """Pixels (..., 2) at a depth along the optical axis (...) to world points (..., 3), float64. Undoes `project`."""
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
    in_camera = homogeneous @ np.linalg.inv(intrinsics).T * np.asarray(depth, dtype=np.float64)[..., None]
    return transform(inverse_rigid(camera_from_world), in_camera)


def grid_pixels(photo_from_grid: Float, height: int, width: int) -> Float:
    """Where the pixel centres of a (height, width) grid lie in the photo: (height, width, 2) float64, photo pixels."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    homogeneous = np.stack([columns, rows, np.ones_like(columns)], axis=-1) @ photo_from_grid.T
    return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:], dtype=np.float64)


def scale_pixels(width_ratio: float, height_ratio: float) -> Float:
    """The 3x3 map from pixels of one picture to pixels of a resized copy: a plain scale, since centres are at +0.5."""
    return np.diag([width_ratio, height_ratio, 1.0])
