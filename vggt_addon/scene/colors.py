"""Colours as Blender's foreach_set wants them.

This module imports nothing beyond numpy: a thread beside Blender's own may call it.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 15  # colours that are converted at a time


def srgb_floats(color: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 3) uint8 sRGB to (n, 4) float32 RGBA in [0, 1], opaque; Blender rounds it back to the byte."""
    rgba = np.empty((len(color), 4), np.float32)
    for start in range(0, len(color), BLOCK):  # blocks stay in the cache; a loop per channel is a long one
        part, source = rgba[start : start + BLOCK], color[start : start + BLOCK]
        for channel in range(3):
            np.multiply(source[:, channel], np.float32(1 / 255), out=part[:, channel])
        part[:, 3] = 1
    return rgba
