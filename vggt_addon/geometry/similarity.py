"""Similarity transforms: one scale, one rotation, one translation, as 4x4 matrices.

This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def similarity(scale: float, rotation: Float, translation: Float) -> Float:
    """x' = scale * rotation x + translation, as (4, 4) float64."""
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = translation
    return matrix
