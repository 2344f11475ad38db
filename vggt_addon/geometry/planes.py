"""Planes in space, and the best of many guesses.

This module imports nothing beyond numpy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


class Plane(NamedTuple):
    """All x with normal . x = offset; the side that the normal points to is above."""

    normal: Float  # (3,) unit length
    offset: float  # in the points' unit


def height_above(plane: Plane, points: Float) -> Float:
    """Signed distance of points (..., 3) from the plane, (...) float64: n . x - offset, positive above."""
    return np.asarray(points @ plane.normal - plane.offset, dtype=np.float64)


def fit_plane(points: Float) -> Plane:
    """The plane of least squares through points (n, 3), n >= 3: the smallest eigenvector of their scatter.

    The sign of the normal is arbitrary.
    """
    middle = points.mean(axis=0)
    centred = points - middle
    _, vectors = np.linalg.eigh(centred.T @ centred)
    normal = vectors[:, 0]
    return Plane(normal, float(normal @ middle))


def planes_through(triples: Float) -> tuple[Float, Float]:
    """Planes through triples of points (n, 3, 3): unit normals (n, 3) and offsets (n,); NaN for points in a line."""
    first, second, third = triples[:, 0], triples[:, 1], triples[:, 2]
    normals = np.cross(second - first, third - first)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return normals, np.einsum("ij,ij->i", normals, first)


def spread_in_plane(points: Float) -> tuple[float, float]:
    """How far points (n, 3) reach in their own two main directions: standard deviations, the larger first."""
    centred = points - points.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred / len(points))
    large, small = np.sqrt(np.maximum(values[[2, 1]], 0.0))
    return float(large), float(small)
