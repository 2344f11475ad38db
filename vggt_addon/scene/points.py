"""The point cloud: a mesh of vertices that Geometry Nodes turns into points.

A mesh, because Blender 4.2 cannot fill a point cloud from Python; the modifier gives both the same look.
This module imports nothing beyond the standard library, bpy and the room's neighbour reconstruction.
"""

import bpy

from ..reconstruction import PointCloud
from . import attributes
from .materials import points_material
from .node_groups import points_group
from .node_inputs import drive_input, set_input
from .placement import Placement
from .root import RADIUS, THRESHOLD

MODIFIER = "Points"
COLOR = "Color"  # not "color": Cycles keeps that name of point clouds for itself and finds black there


def points_mesh(points: PointCloud, placement: Placement, name: str) -> bpy.types.Mesh:
    """Vertices with the attributes `Color` (byte, sRGB), `confidence` (float) and `view` (int: index of the view)."""
    mesh = attributes.new_points(name, placement.local(points.position))
    attributes.set_attribute(mesh, COLOR, points.color, "POINT")
    attributes.set_attribute(mesh, "confidence", points.confidence, "POINT")
    attributes.set_attribute(mesh, "view", points.view, "POINT")
    return mesh


def build_points(
    points: PointCloud, placement: Placement, root: bpy.types.Object, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """The capture's point cloud, child of `root`, whose sliders it follows."""
    cloud = bpy.data.objects.new(name, points_mesh(points, placement, name))
    collection.objects.link(cloud)
    cloud.parent = root
    material = points_material(name, COLOR)
    cloud.data.materials.append(material)
    modifier = cloud.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = points_group()
    set_input(modifier, "Material", material)
    drive_input(modifier, "Radius", root, RADIUS)
    drive_input(modifier, "Confidence Threshold", root, THRESHOLD)
    return cloud
