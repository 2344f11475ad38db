"""The point cloud as a PLY file (Turk, 1994; binary, little-endian), which Blender and most point tools read.

This module imports nothing beyond the standard library and numpy.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry.projection import transform
from ..reconstruction import Reconstruction
from .whole_file import whole_file

VERTEX = np.dtype(
    [
        ("x", "<f4"), ("y", "<f4"), ("z", "<f4"),
        ("red", "u1"), ("green", "u1"), ("blue", "u1"),
        ("confidence", "<f4"),
    ]
)  # fmt: skip
TYPES = {"<f4": "float", "|u1": "uchar"}
BLOCK = 1_000_000  # vertices converted at a time


def write_ply(reconstruction: Reconstruction, path: Path | str) -> Path:
    """Write the points to `path`: x y z in scene coordinates (in world coordinates while no scene is set), sRGB bytes,
    confidence.

    Written under a temporary name and renamed, replacing an existing file. Returns the absolute path. Raises UserError
    where there are no points or the disk refuses.
    """
    path = Path(path).absolute()
    if reconstruction.points is None or not len(reconstruction.points.position):
        raise UserError("This capture has no points to export: no depth was measured in its photos.")
    with whole_file(path, "points") as file:
        file.write(_header(len(reconstruction.points.position)))
        for start in range(0, len(reconstruction.points.position), BLOCK):
            file.write(_vertices(reconstruction, start).tobytes())
    return path


def _header(count: int) -> bytes:
    properties = [f"property {TYPES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}", *properties, "end_header", ""]
    return "\n".join(lines).encode("ascii")


def _vertices(reconstruction: Reconstruction, start: int) -> NDArray[np.void]:
    points = reconstruction.points
    assert points is not None
    part = slice(start, start + BLOCK)
    position = points.position[part]
    if reconstruction.scene_from_world is not None:
        position = transform(reconstruction.scene_from_world, position)
    vertices = np.empty(len(position), VERTEX)
    for axis, name in enumerate("xyz"):
        vertices[name] = position[:, axis]
    for channel, name in enumerate(("red", "green", "blue")):
        vertices[name] = points.color[part, channel]
    vertices["confidence"] = points.confidence[part]
    return vertices
