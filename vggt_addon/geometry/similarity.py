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


def decompose(target_from_source: Float) -> tuple[float, Float, Float]:
    """Scale, rotation (3, 3) and translation (3,) of a similarity; undoes `similarity`.

    Raises ValueError where the matrix shears, mirrors or scales unevenly.
    """
    linear = target_from_source[:3, :3]
    determinant = float(np.linalg.det(linear))
    if not determinant > 0:
        raise ValueError("the transform mirrors or flattens space")
    scale = float(np.cbrt(determinant))
    rotation = linear / scale
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-6:
        raise ValueError("the transform shears or scales unevenly")
    return scale, rotation, np.array(target_from_source[:3, 3])


def inverse_similarity(target_from_source: Float) -> Float:
    """x = rotation^T (x' - translation) / scale, as (4, 4) float64. Raises ValueError as `decompose` does."""
    scale, rotation, translation = decompose(target_from_source)
    return similarity(1.0 / scale, rotation.T, -rotation.T @ translation / scale)
