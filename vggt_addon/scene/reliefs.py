"""Reliefs: each photo as a surface at the depth of its pixels.

A relief has a vertex at the centre of each pixel of the depth grid; the outermost ring stands on the photo's very edge,
so that the relief covers all of it. Its UVs are the photo's own pixels: u = x / width, v = 1 - y / height.
All views of one shape share the topology and UVs: the first mesh is made, the others are copies with positions of
their own. Blender keeps the arrays of copies once, but writes them once for each copy into an undo step (4.2 to 5.2;
16 MB for a grid of 512 x 384, ten times as long as arrays that nobody shares, to which it only refers), so where an
artist can undo, copies get their own.
This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour reconstruction.
"""

import bpy

from ..reconstruction import View
from . import attributes
from .datablocks import claim, datablock_name
from .materials import photo_material
from .node_groups import relief_group
from .node_inputs import drive_input
from .placement import Placement
from .relief_arrays import ReliefArrays, ReliefGeometry, cells, vertex_pixels
from .root import CUT_EDGES, PART, RELIEF, THRESHOLD

__all__ = ["ReliefMeshes", "build_relief", "cells", "vertex_pixels"]
UV_LAYER = "photo"
MODIFIER = "Relief"


class ReliefMeshes:
    """Makes the mesh of one view after another, and keeps what views of the same shape have in common."""

    def __init__(self, placement: Placement, *, share: bool = True) -> None:
        """`share`: copies keep sharing their arrays: a sixth of the memory, and long undo steps."""
        self._geometry = ReliefGeometry(placement)
        self._share = share
        self._topology: dict[bytes, attributes.Topology] = {}
        self._whole: dict[bytes, bpy.types.Mesh] = {}

    def arrays(self, view: View) -> ReliefArrays | None:
        """What `of_arrays` makes the mesh of; None where no cell is known. Half of the work, without Blender."""
        return self._geometry.arrays(view)

    def of_arrays(self, arrays: ReliefArrays, name: str) -> bpy.types.Mesh:
        """The relief with the face attributes `confidence` and `depth_edge`. In the order that `arrays` was called."""
        if arrays.corners is None:
            mesh = claim(self._whole[arrays.key].copy())
            mesh.name = name
            if not self._share:
                if arrays.key not in self._topology:
                    self._topology[arrays.key] = attributes.get_topology(mesh, UV_LAYER)
                attributes.set_topology(mesh, self._topology[arrays.key])
            attributes.set_positions(mesh, arrays.positions)
        else:
            mesh = attributes.new_faces(name, arrays.positions, arrays.corners)
            attributes.set_uv(mesh, UV_LAYER, arrays.uv)
            if arrays.key is not None:
                self._whole[arrays.key] = mesh
        attributes.set_attribute(mesh, "confidence", arrays.confidence, "FACE")
        attributes.set_attribute(mesh, "depth_edge", arrays.depth_edge, "FACE")
        return mesh

    def mesh(self, view: View, name: str) -> bpy.types.Mesh | None:
        """Both at once; None where no cell is known."""
        arrays = self.arrays(view)
        return None if arrays is None else self.of_arrays(arrays, name)


def build_relief(
    view: View,
    mesh: bpy.types.Mesh,
    root: bpy.types.Object,
    image: bpy.types.Image,
    collection: bpy.types.Collection,
) -> bpy.types.Object:
    """The relief of `view` with the mesh that `ReliefMeshes` made: child of `root`, whose sliders it follows."""
    mesh.materials.clear()  # a copy brings its model's photo along
    mesh.materials.append(photo_material(datablock_name(view.name), image, UV_LAYER))
    relief = claim(bpy.data.objects.new(relief_name(view), mesh))
    collection.objects.link(relief)
    relief.parent = root
    relief[PART] = RELIEF
    relief["photo"] = view.name
    relief["identity"] = view.identity
    modifier = relief.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = relief_group()
    drive_input(modifier, "Confidence Threshold", root, THRESHOLD)
    drive_input(modifier, "Cut Depth Edges", root, CUT_EDGES)
    return relief


def relief_name(view: View) -> str:
    """What the relief of `view` and its mesh are called."""
    return datablock_name(f"{view.name} relief")
