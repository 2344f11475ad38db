"""How a capture's world comes to stand in Blender's: axes, origin, orientation and scale.

    blender_world = root.matrix_world @ (world - world_origin)

`world_origin` is subtracted in float64, before anything becomes float32. The root empty carries the orientation and
scale of `Reconstruction.scene_from_world`; without one it is the identity, and the world's origin stands at Blender's.
This module imports nothing beyond numpy and the room's neighbours reconstruction and geometry.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.projection import camera_center, transform
from ..reconstruction import Reconstruction

Float = NDArray[np.float64]

BLENDER_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])  # camera axes: y up and looking along -z, both flipped
SAMPLES = 100_000  # points that the medians are taken over: more do not move them


@dataclass(frozen=True)
class Placement:
    """Where a capture stands. Local units are the world's, shifted; scene units are Blender's."""

    world_origin: Float  # (3,) world: the median of cameras and points
    scene_from_local: Float  # (4, 4) similarity, the root's matrix; local = world - world_origin
    scale: float  # scene units in a local unit
    distance: float  # local units: how far the cameras typically stand from what they see
    reach: float  # local units: the farthest point, camera or depth from the origin

    def local(self, world: Float) -> NDArray[np.float32]:
        """World positions (n, 3) float64 to local ones (n, 3) float32: the first step down from float64."""
        local = np.empty(world.shape, np.float32)
        step = 1 << 14  # in blocks that stay in the cache: no second float64 copy of ten million points
        origin = np.tile(self.world_origin, (step, 1))  # as wide as a block: long loops instead of three by three
        for start in range(0, len(world), step):
            part = world[start : start + step]
            local[start : start + step] = part - origin[: len(part)]
        return local

    def local_from_camera(self, camera_from_world: Float) -> Float:
        """The pose (4, 4) float64 of Blender's camera (y up, looking along -z) in the root's frame."""
        pose = np.eye(4)
        pose[:3, :3] = camera_from_world[:3, :3].T @ BLENDER_FROM_OPENCV
        pose[:3, 3] = camera_center(camera_from_world) - self.world_origin
        return pose


def place(reconstruction: Reconstruction, world_origin: Float | None = None) -> Placement:
    """Choose the origin and measure the scene.

    Each coordinate of the origin is the median over all camera centres and (a regular sample of) all points; a capture
    without points takes the middle of each view's depth instead. With `world_origin` (3,), that of parts that stand, it
    is that one. A Reconstruction holds nothing that no float32 could.
    """
    centers = np.array([camera_center(view.camera_from_world) for view in reconstruction.views]).reshape(-1, 3)
    seen = _seen(reconstruction)
    everything = np.concatenate([centers, seen])
    origin = np.median(everything, axis=0) if len(everything) else np.zeros(3)
    origin = origin if world_origin is None else world_origin
    middle = np.median(seen, axis=0) if len(seen) else origin
    farthest = [float(view.depth.max()) for view in reconstruction.views if view.depth is not None]
    farthest += [float(view.relief_depth.max()) for view in reconstruction.views if view.relief_depth is not None]
    reach = float(np.linalg.norm(everything - origin, axis=1).max()) if len(everything) else 0.0
    distance = float(np.median(np.linalg.norm(centers - middle, axis=1))) if len(centers) else 0.0
    distance = distance or reach or 1.0
    scene_from_world = np.eye(4) if reconstruction.scene_from_world is None else reconstruction.scene_from_world
    scene_from_local = scene_from_world.copy()
    if reconstruction.scene_from_world is None:
        scene_from_local[:3, 3] = 0.0
    else:
        scene_from_local[:3, 3] = transform(scene_from_world, origin)
    return Placement(
        world_origin=origin,
        scene_from_local=scene_from_local,
        scale=float(np.cbrt(np.linalg.det(scene_from_local[:3, :3]))),
        distance=distance,
        reach=max([reach, distance, *farthest]),
    )


def _seen(reconstruction: Reconstruction) -> Float:
    """World points (n, 3) that stand for what the capture shows."""
    points = reconstruction.points
    if points is not None and len(points.position):
        return points.position[:: -(-len(points.position) // SAMPLES)]
    middles = []
    for view in reconstruction.views:
        if view.depth is not None and (view.depth > 0).any():
            along_axis = np.array([0.0, 0.0, float(np.median(view.depth[view.depth > 0]))])
            rotation = view.camera_from_world[:3, :3]
            middles.append(rotation.T @ along_axis + camera_center(view.camera_from_world))
    return np.array(middles).reshape(-1, 3)
