"""What can be computed of a scene before Blender is asked: a thread beside Blender's own may do it.

This module imports nothing beyond the standard library, numpy, placement, colors and its neighbour reconstruction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..reconstruction import Reconstruction
from .colors import srgb_floats
from .placement import Placement, place


@dataclass(frozen=True)
class PreparedPoints:
    """A point cloud as Blender takes it."""

    position: NDArray[np.float32]  # (n, 3) in the root's frame
    color: NDArray[np.float32]  # (n, 4) sRGB in [0, 1], opaque
    confidence: NDArray[np.float32]  # (n,) in [0, 1]
    view: NDArray[np.int32]  # (n,) index into Reconstruction.views


@dataclass(frozen=True)
class Prepared:
    """What building a Reconstruction needs beside it."""

    placement: Placement
    points: PreparedPoints | None


def prepare(reconstruction: Reconstruction, world_origin: NDArray[np.float64] | None = None) -> Prepared:
    """All that takes long and needs no Blender; 28 bytes a point. Raises FormatError for what no float32 can hold.

    `world_origin`: see `place`. Reliefs are left to the build: computing one takes less than handing it to Blender,
    and all at once are large.
    """
    placement = place(reconstruction, world_origin)
    cloud = reconstruction.points
    if cloud is None or not len(cloud.position):
        return Prepared(placement, None)
    position = placement.local(cloud.position)
    return Prepared(placement, PreparedPoints(position, srgb_floats(cloud.color), cloud.confidence, cloud.view))
