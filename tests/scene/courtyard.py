"""The example's photos with what is known of them, and how far Blender's cameras are from it.

Used by the tests of the learned engines' captures, whose networks are stand-ins that give these cameras and depth.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from numpy.typing import NDArray

from vggt_addon.geometry.projection import inverse_rigid, project, transform, unproject
from vggt_addon.scene.cameras import look_through

Float = NDArray[np.float64]
EXAMPLE = Path(__file__).parents[2] / "examples" / "courtyard"


@dataclass(frozen=True)
class TruePhoto:
    """One photo of the example, upright. The world is the first chosen photo's camera."""

    name: str  # without the suffix
    size: tuple[int, int]  # W, H
    intrinsics: Float  # (3, 3) pixels, centres at +0.5
    camera_from_world: Float  # (4, 4)
    depth: Float  # (h, w) along the axis; NaN for the sky

    @property
    def file(self) -> Path:
        """The example's own."""
        return EXAMPLE / "photos" / f"{self.name}.jpg"

    def depth_at(self, pixels: Float) -> Float:
        """The nearest true depth at photo pixels (..., 2): (...)."""
        rows, columns = self.depth.shape
        x = (pixels[..., 0] * columns / self.size[0]).astype(int).clip(0, columns - 1)
        y = (pixels[..., 1] * rows / self.size[1]).astype(int).clip(0, rows - 1)
        return np.asarray(self.depth[y, x], np.float64)

    def known_points(self, count: int = 300) -> tuple[Float, Float]:
        """Photo pixels (n, 2) all over the photo, and the world points (n, 3) that they show."""
        pixels = np.random.default_rng(3).uniform(0.02, 0.98, (count, 2)) * self.size
        pixels = pixels[np.isfinite(self.depth_at(pixels))]
        world = unproject(self.intrinsics, self.camera_from_world, pixels, self.depth_at(pixels))
        np.testing.assert_allclose(project(self.intrinsics, self.camera_from_world, world)[0], pixels, atol=1e-6)
        return pixels, world


def true_photos(names: Sequence[str]) -> list[TruePhoto]:
    """Those of the example's photos, their names without suffixes."""
    images = {Path(image["name"]).stem: image for image in json.loads((EXAMPLE / "cameras.json").read_text())["images"]}
    world_from_first = inverse_rigid(np.array(images[names[0]]["cam_from_world"]))
    found = []
    with np.load(EXAMPLE / "depth.npz") as arrays:
        for name in names:
            image, depth = images[name], arrays[name] / 1000.0
            intrinsics = np.array(image["K"])
            intrinsics[:2, 2] += 0.5
            pose = np.array(image["cam_from_world"]) @ world_from_first
            size = (image["width"], image["height"])
            found.append(TruePhoto(name, size, intrinsics, pose, np.where(depth > 0, depth, np.nan)))
    return found


def overlay(built: Any, camera: Any, pixels: Float, world: Float) -> float:
    """Photo pixels between `pixels` (n, 2) and where Blender shows `world` points (n, 3): the largest.

    Through the capture's root and Blender's own camera, at the resolution that comes with it.
    """
    scene = bpy.context.scene
    placed = transform(np.array(built.root.matrix_world, np.float64), world - np.array(built.root["world_origin"]))
    look_through(camera, scene)
    seen = np.array([world_to_camera_view(scene, camera, Vector(point)) for point in placed])
    shown = np.stack([seen[:, 0], 1 - seen[:, 1]], axis=1) * (scene.render.resolution_x, scene.render.resolution_y)
    return float(np.abs(shown - pixels).max())
