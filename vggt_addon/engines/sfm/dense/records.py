"""What goes into the dense stage and what comes out of it.

This module imports nothing beyond the standard library and numpy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DenseView:
    """A photo at the size of its depth grid, with its solved camera."""

    name: str  # unique among the views; used in messages only
    color: NDArray[np.uint8]  # (h, w, 3) sRGB, upright, undistorted
    intrinsics: NDArray[np.float64]  # (3, 3) pixels of `color`, centres at +0.5
    camera_from_world: NDArray[np.float64]  # (4, 4) rigid, OpenCV camera axes
    track_ids: NDArray[np.int64]  # (n,) the sparse points that this view observes
    mask: NDArray[np.bool_] | None = None  # (h, w) False: no depth is wanted there; None: everywhere


@dataclass(frozen=True)
class DepthMap:
    """Depth as measured; never filled."""

    depth: NDArray[np.float32]  # (h, w) along the optical axis, world units, 0 unknown
    confidence: NDArray[np.float32]  # (h, w) in [0, 1], 0 exactly where depth is 0
