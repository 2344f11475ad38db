"""Reliefs: each photo as a surface at the depth of its pixels.

A relief has a vertex at the centre of each pixel of the depth grid; the outermost ring stands on the photo's very edge,
so that the relief covers all of it. Its UVs are the photo's own pixels: u = x / width, v = 1 - y / height.
All views of one shape share the topology and UVs: the first mesh is made, the others are copies (Blender shares the
arrays of copies) with positions of their own.
This module imports nothing beyond the standard library, numpy, bpy and the room's neighbours reconstruction, geometry.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..geometry.projection import camera_center, grid_pixels
from ..reconstruction import View
from . import attributes
from .datablocks import datablock_name
from .materials import photo_material
from .node_groups import relief_group
from .node_inputs import drive_input
from .placement import Placement
from .root import CUT_EDGES, THRESHOLD

UV_LAYER = "photo"
MODIFIER = "Relief"


class ReliefMeshes:
    """Makes the mesh of one view after another, and keeps what views of the same shape have in common."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._whole: dict[bytes, bpy.types.Mesh] = {}
        self._pixels: dict[bytes, NDArray[np.float64]] = {}

    def mesh(self, view: View, name: str) -> bpy.types.Mesh | None:
        """The relief of `view` with the face attributes `confidence` and `depth_edge`; None where no cell is known.

        Depth is the view's `relief_depth`; without one, its `depth`, and cells with an unknown corner are left out.
        """
        depth = view.depth if view.relief_depth is None else view.relief_depth
        if depth is None or view.photo_from_grid is None or min(depth.shape) < 2:
            return None
        size = np.array([*depth.shape, view.width, view.height])
        key = size.tobytes() + view.photo_from_grid.tobytes()
        if key not in self._pixels:
            self._pixels[key] = vertex_pixels(view, depth.shape).reshape(-1, 2)
        pixels = self._pixels[key]
        positions = self._positions(view, depth, pixels)
        whole = bool((depth > 0).all())
        if whole and key in self._whole:
            mesh = self._whole[key].copy()
            mesh.name = name
            attributes.set_positions(mesh, positions)
            known = None
        else:
            corners, known = cells(depth)
            if not len(corners):
                return None
            uv = (pixels / (view.width, view.height) * (1, -1) + (0, 1)).astype(np.float32)[corners.ravel()]
            if not whole:
                used, corners = np.unique(corners, return_inverse=True)
                positions, corners = positions[used], corners.reshape(-1, 4).astype(np.int32)
            mesh = attributes.new_faces(name, positions, corners)
            attributes.set_uv(mesh, UV_LAYER, uv)
            if whole:
                self._whole[key] = mesh
        _set_face_attributes(mesh, view, depth.shape, known)
        return mesh

    def _positions(self, view: View, depth: NDArray[np.float32], pixels: NDArray[np.float64]) -> NDArray[np.float32]:
        """Vertices in the root's frame: R^T K^-1 (x, y, 1) depth + (C - world_origin), in float64 to the end.

        `geometry.projection.unproject` less the origin, which is taken off the camera instead of every vertex.
        """
        local_from_pixel = view.camera_from_world[:3, :3].T @ np.linalg.inv(view.intrinsics)
        rays = pixels @ local_from_pixel[:, :2].T + local_from_pixel[:, 2]
        rays *= depth.reshape(-1, 1)
        rays += camera_center(view.camera_from_world) - self._placement.world_origin
        return rays.astype(np.float32)


def build_relief(
    view: View,
    meshes: ReliefMeshes,
    root: bpy.types.Object,
    image: bpy.types.Image,
    collection: bpy.types.Collection,
) -> bpy.types.Object | None:
    """The relief of `view`, child of `root`, whose sliders it follows; None where the view has no depth to show."""
    name = datablock_name(f"{view.name} relief")
    mesh = meshes.mesh(view, name)
    if mesh is None:
        return None
    mesh.materials.clear()  # a copy brings its model's photo along
    mesh.materials.append(photo_material(datablock_name(view.name), image, UV_LAYER))
    relief = bpy.data.objects.new(name, mesh)
    collection.objects.link(relief)
    relief.parent = root
    relief["photo"] = view.name
    relief["identity"] = view.identity
    modifier = relief.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = relief_group()
    drive_input(modifier, "Confidence Threshold", root, THRESHOLD)
    drive_input(modifier, "Cut Depth Edges", root, CUT_EDGES)
    return relief


def vertex_pixels(view: View, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where the vertices of a grid of `shape` (h, w) lie in the photo: (h, w, 2) float64, photo pixels.

    Grid pixels' centres, but for the outermost ring, which is pulled out to the photo's edge where that is no more
    than a grid pixel away.
    """
    pixels = grid_pixels(view.photo_from_grid, *shape)
    step_x, step_y = abs(view.photo_from_grid[0, 0]), abs(view.photo_from_grid[1, 1])
    left, right, top, bottom = pixels[:, 0, 0], pixels[:, -1, 0], pixels[0, :, 1], pixels[-1, :, 1]
    for ring, edge, step in (
        (left, 0, step_x),
        (right, view.width, step_x),
        (top, 0, step_y),
        (bottom, view.height, step_y),
    ):
        ring[np.abs(ring - edge) <= step] = edge
    return pixels


def cells(depth: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The cells between four known grid pixels: vertex indices (n, 4) int32, counter-clockwise as the camera sees
    them, and which of all (h - 1) * (w - 1) cells they are, bool."""
    height, width = depth.shape
    first = (np.arange(height - 1, dtype=np.int32)[:, None] * width + np.arange(width - 1, dtype=np.int32)).ravel()
    corners = first[:, None] + np.array([0, width, width + 1, 1], np.int32)
    known = depth > 0
    whole = (known[:-1, :-1] & known[1:, :-1] & known[1:, 1:] & known[:-1, 1:]).ravel()
    return (corners if whole.all() else corners[whole]), whole


def _set_face_attributes(
    mesh: bpy.types.Mesh, view: View, shape: tuple[int, int], known: NDArray[np.bool_] | None
) -> None:
    """`confidence`: the least of a cell's four corners; `depth_edge`: whether it spans a silhouette."""
    sure = view.confidence
    rows = np.minimum(sure[:-1], sure[1:])
    confidence = np.minimum(rows[:, :-1], rows[:, 1:]).ravel()
    edge = np.zeros(confidence.shape, np.bool_) if view.depth_edge is None else view.depth_edge.ravel()
    if known is not None and not known.all():
        confidence, edge = confidence[known], edge[known]
    attributes.set_attribute(mesh, "confidence", confidence, "FACE")
    attributes.set_attribute(mesh, "depth_edge", edge, "FACE")
