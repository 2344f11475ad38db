"""The point cloud: a mesh of vertices that Geometry Nodes turns into points.

A mesh, because Blender 4.2 cannot fill a point cloud from Python; the modifier gives both the same look.
This module imports nothing beyond the standard library, bpy and the room's own modules.
"""

from collections.abc import Generator

import bpy

from . import attributes
from .datablocks import claim
from .materials import points_material
from .node_groups import points_group
from .node_inputs import drive_input, set_input
from .prepare import PreparedPoints
from .root import PART, POINTS, RADIUS, THRESHOLD

MODIFIER = "Points"
COLOR = "Color"  # not "color": Cycles keeps that name of point clouds for itself and finds black there


def points_steps(
    points: PreparedPoints, root: bpy.types.Object, name: str, collection: bpy.types.Collection
) -> Generator[None, None, bpy.types.Object]:
    """The capture's point cloud, child of `root`, whose sliders it follows. Yields between slices of the work.

    A mesh of vertices with the attributes `Color` (byte, sRGB), `confidence` (float) and `view` (int: index of the
    view).
    """
    cloud = claim(bpy.data.objects.new(name, attributes.new_points(name, points.position)))
    collection.objects.link(cloud)
    cloud.parent = root
    cloud[PART] = POINTS
    yield
    attributes.set_attribute(cloud.data, COLOR, points.color, "POINT")
    yield
    attributes.set_attribute(cloud.data, "confidence", points.confidence, "POINT")
    attributes.set_attribute(cloud.data, "view", points.view, "POINT")
    material = points_material(name, COLOR)
    cloud.data.materials.append(material)
    modifier = cloud.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = points_group()
    set_input(modifier, "Material", material)
    drive_input(modifier, "Radius", root, RADIUS)
    drive_input(modifier, "Confidence Threshold", root, THRESHOLD)
    return cloud
