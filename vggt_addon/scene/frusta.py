"""Cameras as things that can be rendered: a wire pyramid each, with its photo at the far end.

Blender does not render camera objects; a preview makes these for its own picture only.
This module imports nothing beyond numpy and bpy.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from . import attributes
from .cameras import SENSOR
from .materials import photo_material

EDGES = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1))
SIDES = 6  # of the tube that an edge becomes


def frustum_corners(camera: bpy.types.Object, long_side: float) -> NDArray[np.float64]:
    """Centre and the photo's four corners (5, 3), scene units, of a frustum whose picture is `long_side` wide or tall.

    Corners go round from the photo's top left, counter-clockwise as the camera sees them.
    """
    data = camera.data
    width, height = camera["photo_width"], camera["photo_height"] * camera["pixel_aspect"]
    unit = long_side / max(width, height)
    depth = data.lens / SENSOR * long_side
    x, y, shift = width * unit / 2, height * unit / 2, long_side
    corners = np.array([[0, 0, 0], [-x, y, -depth], [-x, -y, -depth], [x, -y, -depth], [x, y, -depth]], np.float64)
    corners[1:, 0] += data.shift_x * shift
    corners[1:, 1] += data.shift_y * shift
    pose = np.array(camera.matrix_world.normalized(), np.float64)
    return np.asarray(corners @ pose[:3, :3].T + pose[:3, 3], np.float64)


def build_frustum(
    camera: bpy.types.Object,
    long_side: float,
    wire: bpy.types.Material,
    collection: bpy.types.Collection,
) -> None:
    """Put the frustum of `camera` into `collection`: tubes of the material `wire`, and its photo."""
    corners = frustum_corners(camera, long_side)
    positions, faces = _tubes(corners, 0.012 * long_side)
    tubes = attributes.new_faces("frustum", positions, faces)
    tubes.materials.append(wire)
    collection.objects.link(bpy.data.objects.new("frustum", tubes))
    if not camera.data.background_images:
        return
    picture = attributes.new_faces("picture", corners[1:].astype(np.float32), np.array([[0, 1, 2, 3]], np.int32))
    attributes.set_uv(picture, "photo", np.array([[0, 1], [0, 0], [1, 0], [1, 1]], np.float32))
    picture.materials.append(photo_material("picture", camera.data.background_images[0].image, "photo"))
    collection.objects.link(bpy.data.objects.new("picture", picture))


def _tubes(corners: NDArray[np.float64], radius: float) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Every edge as an open prism: vertices (n, 3) and quads (m, 4)."""
    around = np.arange(SIDES)
    angles = 2 * np.pi * around / SIDES
    next_ = (around + 1) % SIDES
    quads = np.stack([around, next_, next_ + SIDES, around + SIDES], axis=1)
    positions, faces = [], []
    for number, (start, end) in enumerate(EDGES):
        along = (corners[end] - corners[start]) / np.linalg.norm(corners[end] - corners[start])
        across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
        across /= np.linalg.norm(across)
        ring = radius * (np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * np.cross(along, across))
        # A little beyond both ends, so that edges meet without a gap.
        positions += [corners[start] - radius * along + ring, corners[end] + radius * along + ring]
        faces.append(quads + 2 * SIDES * number)
    return np.concatenate(positions).astype(np.float32), np.concatenate(faces).astype(np.int32)
