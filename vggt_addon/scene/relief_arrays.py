"""A relief as plain arrays: where its vertices stand, which cells it has, and what its faces carry.

This module imports nothing beyond the standard library, numpy and its neighbours reconstruction, geometry and
placement: a thread beside Blender's own may call it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.projection import camera_center, grid_pixels
from ..reconstruction import View
from .placement import Placement


@dataclass(frozen=True)
class ReliefArrays:
    """The mesh of one view. Where `corners` is None, the topology is that of the relief made first with this `key`."""

    key: bytes | None  # of the topology and UVs that all whole grids of one shape share; None: this view's own
    positions: NDArray[np.float32]  # (vertices, 3) in the root's frame
    corners: NDArray[np.int32] | None  # (faces, 4) vertex indices, counter-clockwise as the camera sees them
    uv: NDArray[np.float32] | None  # (faces * 4, 2) the photo's pixels in [0, 1], v up
    confidence: NDArray[np.float32]  # (faces,) the least of a cell's four corners
    depth_edge: NDArray[np.bool_]  # (faces,) whether the cell spans a silhouette


class ReliefGeometry:
    """Computes the arrays of one view after another, and keeps what views of the same shape have in common."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._pixels: dict[bytes, NDArray[np.float64]] = {}
        self._told: set[bytes] = set()

    def arrays(self, view: View) -> ReliefArrays | None:
        """The relief of `view`; None where no cell is known.

        Depth is the view's `relief_depth`; without one, its `depth`, and cells with an unknown corner are left out, as
        are those that its mask leaves out.
        """
        depth = view.depth if view.relief_depth is None else view.relief_depth
        if depth is None or view.photo_from_grid is None or min(depth.shape) < 2:
            return None
        if view.mask is not None:
            depth = np.where(view.mask, depth, np.float32(0))
        size = np.array([*depth.shape, view.width, view.height])
        key = size.tobytes() + view.photo_from_grid.tobytes()
        if key not in self._pixels:
            self._pixels[key] = vertex_pixels(view, (depth.shape[0], depth.shape[1])).reshape(-1, 2)
        pixels = self._pixels[key]
        positions = self._positions(view, depth, pixels)
        if (depth > 0).all():
            known = None
            corners = None if key in self._told else cells(depth)[0]
            uv = None if corners is None else _uv(view, pixels, corners)
            self._told.add(key)
            return ReliefArrays(key, positions, corners, uv, *_face_values(view, known))
        corners, known = cells(depth)
        if not len(corners):
            return None
        uv = _uv(view, pixels, corners)
        positions, corners = _used_alone(positions, corners)
        return ReliefArrays(None, positions, corners, uv, *_face_values(view, known))

    def _positions(self, view: View, depth: NDArray[np.float32], pixels: NDArray[np.float64]) -> NDArray[np.float32]:
        """Vertices in the root's frame: R^T K^-1 (x, y, 1) depth + (C - world_origin), in float64 to the end.

        `geometry.projection.unproject` less the origin, which is taken off the camera instead of every vertex.
        """
        local_from_pixel = view.camera_from_world[:3, :3].T @ np.linalg.inv(view.intrinsics)
        rays = pixels @ local_from_pixel[:, :2].T + local_from_pixel[:, 2]
        rays *= depth.reshape(-1, 1)
        rays += camera_center(view.camera_from_world) - self._placement.world_origin
        return np.asarray(rays, np.float32)


def vertex_pixels(view: View, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where the vertices of a grid of `shape` (h, w) lie in the photo: (h, w, 2) float64, photo pixels.

    Grid pixels' centres, but for the outermost ring, which is pulled out to the photo's edge where that is no more
    than a grid pixel away.
    """
    assert view.photo_from_grid is not None
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


def _uv(view: View, pixels: NDArray[np.float64], corners: NDArray[np.int32]) -> NDArray[np.float32]:
    """u = x / width, v = 1 - y / height, for each corner of each face."""
    of_vertices = (pixels / (view.width, view.height) * (1, -1) + (0, 1)).astype(np.float32)
    return np.asarray(of_vertices[corners.ravel()], np.float32)


def _used_alone(
    positions: NDArray[np.float32], corners: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Only the vertices that a face has, and the corners counted anew."""
    used = np.zeros(len(positions), np.bool_)
    used[corners.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return positions[used], number[corners]


def _face_values(view: View, known: NDArray[np.bool_] | None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """`confidence`: the least of a cell's four corners; `depth_edge`: whether it spans a silhouette."""
    assert view.confidence is not None  # where there is depth
    sure = view.confidence
    rows = np.minimum(sure[:-1], sure[1:])
    confidence = np.minimum(rows[:, :-1], rows[:, 1:]).ravel()
    edge = np.zeros(confidence.shape, np.bool_) if view.depth_edge is None else view.depth_edge.ravel()
    if known is not None and not known.all():
        confidence, edge = confidence[known], edge[known]
    return confidence, edge
