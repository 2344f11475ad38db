"""The root empty of a capture: orientation, scale, provenance, and the sliders that everything below it follows.

The sliders are custom properties (Object Properties > Custom Properties) that drivers carry to every modifier of the
capture, so that one value rules all reliefs and the points. They are live in every Blender, in background too.
This module imports nothing beyond numpy, bpy and the room's neighbour reconstruction.
"""

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..reconstruction import Reconstruction
from .datablocks import claim, datablock_name
from .placement import Placement

THRESHOLD = "confidence_threshold"
CUT_EDGES = "cut_depth_edges"
RADIUS = "point_radius"
LONGEST_KEY = 63  # bytes that Blender takes
PART = "capture_part"  # custom property of all objects and collections that were built: which part of a capture it is
CAPTURE, CAMERA, POINTS, RELIEF = (
    "capture",
    "camera",
    "points",
    "relief",
)  # its values; a collection's: of what it holds


def build_root(
    reconstruction: Reconstruction, placement: Placement, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """The empty that all other objects of the capture are children of."""
    root = claim(bpy.data.objects.new(name, None))
    collection.objects.link(root)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = 0.25 * placement.distance
    root.rotation_mode = "QUATERNION"
    root.location = placement.scene_from_local[:3, 3]
    rotation = placement.scene_from_local[:3, :3] / placement.scale
    root.rotation_quaternion = Matrix(rotation.tolist()).to_quaternion()
    root.scale = np.full(3, placement.scale)
    root[PART] = CAPTURE
    describe(root, reconstruction, placement)
    return root


def describe(root: bpy.types.Object, reconstruction: Reconstruction, placement: Placement) -> None:
    """Write on the root where the capture comes from."""
    root["capture_id"] = datablock_name(reconstruction.capture_id)
    root["engine"] = datablock_name(reconstruction.engine)
    for key, value in (reconstruction.weights or {}).items():
        root[_property_name(f"weights_{key}")] = datablock_name(value)
    root["upright"] = reconstruction.scene_from_world is not None  # False: which way is up is not known
    root["world_origin"] = [float(value) for value in placement.world_origin]


def world_origin(root: bpy.types.Object) -> NDArray[np.float64] | None:
    """What `describe` wrote: the world's place (3,) that is the root's own; None where somebody changed it."""
    try:
        origin = np.array(list(root["world_origin"]), np.float64)
    except (KeyError, TypeError, ValueError):
        return None
    return origin if origin.shape == (3,) and np.isfinite(origin).all() else None


def _property_name(text: str) -> str:
    return datablock_name(text).encode("utf-8")[:LONGEST_KEY].decode("utf-8", "ignore")


def add_sliders(root: bpy.types.Object, threshold: float, cut_edges: bool, radius: float | None) -> None:
    """Give the root the properties that `node_inputs.drive_input` ties modifiers to; `radius` in local units.

    One that it has keeps its value.
    """
    if THRESHOLD not in root:
        root[THRESHOLD] = float(threshold)
        root.id_properties_ui(THRESHOLD).update(
            min=0.0,
            max=1.0,
            subtype="FACTOR",
            description="Points and relief faces less certain than this are not shown",
        )
    if CUT_EDGES not in root:
        root[CUT_EDGES] = bool(cut_edges)
        root.id_properties_ui(CUT_EDGES).update(description="Cut the reliefs open where the depth jumps")
    if radius is not None and RADIUS not in root:
        root[RADIUS] = float(radius)
        root.id_properties_ui(RADIUS).update(
            min=0.0, soft_max=10 * radius, precision=4, description="Size of the points, in the capture's own units"
        )


def set_slider(root: bpy.types.Object, name: str, value: float | bool) -> None:
    """Set one of the sliders from a script, and let what follows it know."""
    if name not in root:
        raise KeyError(f"{root.name} has no slider called {name}")
    root[name] = type(root[name])(value)
    root.update_tag()
