"""The walk around the court: one lens, ten places. Imports nothing beyond numpy.

World: metres, z up. `camera_from_world` has OpenCV camera axes (x right, y down, z forward).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .noise import Float

LONG_SIDE, SHORT_SIDE = 1200, 800  # pixels
FOCAL_LENGTH_35MM = 30  # millimetres on a frame 36 mm wide
FOCAL_LENGTH_MM = 20.0  # millimetres on this camera's own sensor, 24 mm wide
FOCAL = FOCAL_LENGTH_35MM / 36 * LONG_SIDE  # pixels


@dataclass(frozen=True)
class Camera:
    """One photo's true camera."""

    name: str  # file name
    position: tuple[float, ...]  # (3,) metres, world
    target: tuple[float, ...]  # (3,) metres, world: what it looks at
    portrait: bool = False
    roll: float = 0.0  # degrees: how far the photographer held it askew, clockwise positive

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright photo in pixels."""
        return (SHORT_SIDE, LONG_SIDE) if self.portrait else (LONG_SIDE, SHORT_SIDE)

    @property
    def intrinsics(self) -> Float:
        """(3, 3) pixels of the upright photo, pixel centres at integers: the top left pixel's centre is (0, 0)."""
        width, height = self.size
        return np.array([[FOCAL, 0, width / 2 - 0.5], [0, FOCAL, height / 2 - 0.5], [0, 0, 1]])

    @property
    def camera_from_world(self) -> Float:
        """(4, 4) rigid, OpenCV camera axes."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right = right / np.linalg.norm(right)
        down = np.cross(forward, right)
        c, s = np.cos(np.radians(self.roll)), np.sin(np.radians(self.roll))
        rotation = np.stack([c * right + s * down, c * down - s * right, forward])
        result = np.eye(4)
        result[:3, :3] = rotation
        result[:3, 3] = -rotation @ np.asarray(self.position)
        return result


def walk() -> list[Camera]:
    """The photos in the order in which they were taken: an arc about the urn, neighbours 9 to 10 degrees apart."""
    rng = np.random.default_rng(4)
    cameras = []
    for index in range(10):
        azimuth = np.radians(-88 + 9.6 * index + rng.uniform(-0.6, 0.6))
        portrait = index in (3, 7)
        radius = rng.uniform(3.5, 4.3)
        height = (1.55, 1.35, 1.7, 1.6, 1.2, 1.5, 1.85, 1.5, 1.3, 1.65)[index]
        position = (radius * np.cos(azimuth), radius * np.sin(azimuth), height)
        target = np.array([-0.35, 0.35, 0.85 if portrait else 0.8]) + rng.normal(0, 0.07, 3)
        cameras.append(
            Camera(
                f"courtyard_{index + 1:02d}.jpg",
                tuple(float(round(x, 4)) for x in position),
                tuple(float(round(x, 4)) for x in target),
                portrait,
                float(round(rng.normal(0, 1.0), 3)),
            )
        )
    return cameras


def record(cameras: list[Camera], depth_file: str) -> dict[str, Any]:
    """The cameras as JSON: K has pixel centres at integers, the unit is the metre, depth lies beside the file."""
    images = [
        {
            "name": f"photos/{camera.name}",
            "width": camera.size[0],
            "height": camera.size[1],
            "K": camera.intrinsics.tolist(),
            "cam_from_world": camera.camera_from_world.tolist(),
            "depth": f"{depth_file}#{camera.name.partition('.')[0]}",
        }
        for camera in cameras
    ]
    return {"unit": "metre", "up": [0, 0, 1], "images": images}
