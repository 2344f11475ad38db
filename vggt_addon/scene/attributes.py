"""Arrays into Blender: the only module that calls foreach_set.

Every function takes whole numpy arrays and passes them on without a Python object per element. A mesh's positions go
in through its `position` attribute, which Blender copies as one block (vertices' `co` is set one by one).
This module imports nothing beyond numpy, bpy and the room's own modules.
"""

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .colors import srgb_floats
from .datablocks import claim

KIND = {"f": ("FLOAT", "value"), "i": ("INT", "value"), "b": ("BOOLEAN", "value"), "u": ("BYTE_COLOR", "color_srgb")}
Topology = dict[str, tuple[str, NDArray[Any]]]  # by attribute: the field that foreach_set takes, and the values
SHARED_BY_COPIES = {
    ".corner_vert": ("value", 1, np.int32),
    ".corner_edge": ("value", 1, np.int32),
    ".edge_verts": ("value", 2, np.int32),
}


def new_points(name: str, positions: NDArray[np.float32]) -> bpy.types.Mesh:
    """A mesh of loose vertices at positions (n, 3) float32, in the object's frame."""
    mesh = claim(bpy.data.meshes.new(name))
    mesh.vertices.add(len(positions))
    set_positions(mesh, positions)
    return mesh


def new_faces(name: str, positions: NDArray[np.float32], corners: NDArray[np.int32]) -> bpy.types.Mesh:
    """A mesh of polygons with the same number of corners: positions (n, 3) float32, vertex indices (faces, c) int32."""
    mesh = new_points(name, positions)
    faces, corners_each = corners.shape
    mesh.loops.add(faces * corners_each)
    mesh.attributes[".corner_vert"].data.foreach_set("value", np.ascontiguousarray(corners, np.int32).ravel())
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces * corners_each, corners_each, dtype=np.int32))
    mesh.update(calc_edges=True)
    return mesh


def set_positions(mesh: bpy.types.Mesh, positions: NDArray[np.float32]) -> None:
    """Move all vertices: (n, 3) float32, in the object's frame."""
    if len(positions):
        mesh.attributes["position"].data.foreach_set("vector", np.ascontiguousarray(positions, np.float32).ravel())
    mesh.update()


def get_positions(mesh: bpy.types.Mesh) -> NDArray[np.float32]:
    """All vertices (n, 3) float32, in the object's frame."""
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    return positions.reshape(-1, 3)


def set_attribute(mesh: bpy.types.Mesh, name: str, values: NDArray[Any], domain: str) -> None:
    """Write one value per element of `domain` ("POINT" or "FACE"), replacing an attribute of that name.

    The type follows from the array: (n,) float32, int32 or bool; (n, 3) uint8 becomes a byte colour whose sRGB values
    are exactly those given, and so does what `srgb_floats` made of it, (n, 4) float32. Raises ValueError where the
    count does not fit.
    """
    if values.dtype == np.uint8:
        values = srgb_floats(values)
    kind, field = KIND["u" if values.ndim == 2 else values.dtype.kind]
    attribute = mesh.attributes.get(name)
    if attribute is None:
        attribute = mesh.attributes.new(name, kind, domain)
    if len(attribute.data) != len(values):
        raise ValueError(f"{name}: {len(values)} values for {len(attribute.data)} elements")
    if len(values):
        attribute.data.foreach_set(field, values.ravel())


def set_uv(mesh: bpy.types.Mesh, name: str, uv: NDArray[np.float32]) -> None:
    """A UV layer from one (u, v) per face corner: (corners, 2) float32, v up."""
    layer = mesh.uv_layers.new(name=name, do_init=False)
    layer.uv.foreach_set("vector", np.ascontiguousarray(uv, np.float32).ravel())


def get_topology(mesh: bpy.types.Mesh, uv_layer: str) -> Topology:
    """The long arrays that a mesh of faces shares with its copies."""
    kept = {}
    for name, (field, width, dtype) in {**SHARED_BY_COPIES, uv_layer: ("vector", 2, np.float32)}.items():
        data = mesh.attributes[name].data
        kept[name] = field, np.empty(len(data) * width, dtype)
        data.foreach_get(*kept[name])
    return kept


def set_topology(mesh: bpy.types.Mesh, topology: Topology) -> None:
    """Give a copy of the mesh that `topology` is from arrays of its own, with the same values."""
    for name, (field, values) in topology.items():
        mesh.attributes[name].data.foreach_set(field, values)


def set_pixels(image: bpy.types.Image, pixels: NDArray[np.uint8]) -> None:
    """Fill a byte image: (height, width, 3) uint8 sRGB, first row at the top."""
    rgba = np.ones((*pixels.shape[:2], 4), np.float32)
    np.multiply(pixels[::-1], np.float32(1 / 255), out=rgba[..., :3])
    image.pixels.foreach_set(rgba.ravel())


def get_pixels(image: bpy.types.Image) -> NDArray[np.uint8]:
    """The pixels of a byte image: (height, width, 3) uint8, first row at the top."""
    width, height = image.size
    rgba = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(rgba)
    rgb = rgba.reshape(height, width, image.channels)[::-1, :, :3]
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
