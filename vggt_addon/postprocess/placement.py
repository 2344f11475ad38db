"""How a world stands in the scene: upright, on the ground, in front of the artist, at a workable size.

Photos alone do not tell a doll's house from a house, so the scale is a rule and not a measurement: what is seen near
the cameras spans EXTENT units.
This module imports nothing beyond the standard library and numpy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.projection import camera_center
from ..geometry.rotations import upright_rotation
from ..geometry.similarity import similarity
from .upright import Upright

Float = NDArray[np.float64]

EXTENT = 10.0  # scene units
NEAR = 2.0  # times the median distance to the nearest camera: what lies further is backdrop
FLOOR_PERCENTILE = 2.0  # of the points' height, where there is no ground plane
SCALE_RULE = "what is seen near the cameras spans 10 units; not metric"
NO_DEPTH_RULE = "the cameras' positions span 10 units; not metric"


@dataclass(frozen=True)
class Placement:
    """The map from world to scene and how it was chosen."""

    scene_from_world: Float  # (4, 4) similarity; z up, scene units
    scale: float  # scene units in one world unit
    scale_rule: str
    floor: str  # what lies at z = 0

    def figures(self) -> dict[str, object]:
        """For the report."""
        return {"scale": self.scale, "scale_rule": self.scale_rule, "scale_is_metric": False, "floor": self.floor}


def place(
    upright: Upright, cameras_from_world: Float, points: Float, reference: int, extent: float = EXTENT
) -> Placement:
    """Place a world with cameras (n, 4, 4), n >= 1, and points (m, 3), m >= 0, in the scene.

    Up becomes +z and the reference camera looks along +y (its own top does, where it looks straight down), as
    Blender's front view does. The points' median is at x = y = 0; the ground plane, else the FLOOR_PERCENTILE of the
    points' height, is z = 0. The scale makes what is seen near the cameras span `extent` units along the longest axis.
    """
    rotation = upright_rotation(upright.up, _heading(cameras_from_world[reference, :3, :3], upright.up))
    centers = camera_center(cameras_from_world)
    seen = points if len(points) else centers
    origin = np.median(seen, axis=0)  # differences first: worlds may lie a million units from their own zero
    turned, turned_centers = (seen - origin) @ rotation.T, (centers - origin) @ rotation.T
    near = _near(turned, turned_centers) if len(points) else turned
    size = float(np.ptp(np.percentile(near, [2.0, 98.0], axis=0), axis=0).max())
    scale = extent / size if size > 1e-9 * (1e-30 + np.abs(turned_centers).max()) and size > 0 else 1.0
    if upright.ground is not None:
        floor = float(upright.ground.plane.offset - upright.up @ origin)
        floor_is = "ground plane"
    elif len(points):
        floor = float(np.percentile(turned[:, 2], FLOOR_PERCENTILE))
        floor_is = "lowest points"
    else:
        floor, floor_is = float(turned_centers[:, 2].min()), "lowest camera"
    middle = np.median(turned, axis=0)
    shift = np.array([middle[0], middle[1], floor])
    scene_from_world = similarity(scale, rotation, -scale * (rotation @ origin + shift))
    return Placement(scene_from_world, scale, SCALE_RULE if len(points) else NO_DEPTH_RULE, floor_is)


def _heading(rotation: Float, up: Float) -> Float:
    """The direction (3,), world, that shall become +y: where the camera looks, or its picture's top if it looks down.

    Looking straight up, it is where the foot of the picture points, as for somebody who bends over backwards.
    """
    looking = rotation[2]
    level = looking - (looking @ up) * up
    heading = looking if np.linalg.norm(level) > 0.1 else rotation[1] * np.sign(looking @ up)
    return np.asarray(heading)


def _near(points: Float, centers: Float) -> Float:
    """The points that are no backdrop: nearer to some camera than NEAR times the median."""
    nearest = np.full(len(points), np.inf)
    for center in centers:
        nearest = np.minimum(nearest, ((points - center) ** 2).sum(axis=1))
    return np.asarray(points[nearest <= NEAR**2 * np.median(nearest)])
