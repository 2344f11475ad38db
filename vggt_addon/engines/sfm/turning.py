"""Telling a camera that only turned from one that moved past something flat: both relate photos by a homography.

This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

from .ladder import FOCAL_RANGE

ONLY_TURNED = 0.02  # of `turn_residual`: matching noise stays below, a step of a thirtieth of the distance is above
_FOCALS = np.geomspace(*FOCAL_RANGE, 60)


def turn_residual(
    second_from_first: NDArray[np.float64], first_size: tuple[int, int], second_size: tuple[int, int]
) -> float:
    """How far a pixel homography is from that of a camera that only turned; 0 for an exact turn.

    A turn by R gives H = K2 R K1^-1 (Hartley and Zisserman, section 8.4). The focal length being unknown, it is tried
    over the range that lenses have (equal in both photos, relative to the long side), and the smallest distance of
    K2^-1 H K1 (scaled to determinant 1) to its nearest rotation, in the Frobenius norm, is returned.
    """
    best = np.inf
    for focal in _FOCALS:
        turn = np.linalg.inv(_intrinsics(focal, second_size)) @ second_from_first @ _intrinsics(focal, first_size)
        scale = np.cbrt(np.linalg.det(turn))
        if abs(scale) < 1e-12:
            continue
        turn = turn / scale
        left, _, right = np.linalg.svd(turn)
        best = min(best, float(np.linalg.norm(turn - left @ right)))
    return best


def _intrinsics(focal: float, size: tuple[int, int]) -> NDArray[np.float64]:
    width, height = size
    pixels = focal * max(size)
    return np.array([[pixels, 0, width / 2], [0, pixels, height / 2], [0, 0, 1]])
