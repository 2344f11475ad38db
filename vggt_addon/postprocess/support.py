"""How well a measured pixel agrees with those around it: lone specks of depth are mistakes, as a rule.

This module imports nothing beyond the standard library and numpy.
"""

import numpy as np
from numpy.typing import NDArray

REACH = 3  # pixels to each side that are looked at
SLANT = 0.03  # of the inverse depth, for each pixel of distance: how far a neighbour on the same surface may differ
ENOUGH = 0.1  # share of the neighbours that a surface has around it, torn, or so slanted that one row of it counts


def neighbour_support(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of a pixel's neighbours that are measured and lie on its surface: (h, w) float32 in [0, 1].

    depth (h, w), 0 where unknown (support is 0 there). Neighbours are those of the window of 2 REACH + 1 that are
    inside the picture, so a pixel at the border is judged by fewer.
    """
    measured = depth > 0
    inverse_depth = np.where(measured, 1.0 / np.where(measured, depth, 1), 0).astype(np.float64)
    agreeing = np.zeros(depth.shape, np.float32)
    for down in range(REACH + 1):
        for over in range(-REACH, REACH + 1):
            if (down, over) > (0, 0):  # each pair once, counted for both
                _count_pairs(inverse_depth, agreeing, down, over)
    return np.where(measured, agreeing / np.maximum(_neighbours(*depth.shape), 1), 0).astype(np.float32)


def _count_pairs(inverse_depth: NDArray[np.float64], agreeing: NDArray[np.float32], down: int, over: int) -> None:
    """Add 1 to both pixels of every pair `down` rows and `over` columns apart that lie on one surface."""
    height, width = inverse_depth.shape
    if down >= height or abs(over) >= width:
        return
    first = slice(0, height - down), slice(max(-over, 0), width - max(over, 0))
    second = slice(down, height), slice(max(over, 0), width - max(-over, 0))
    one, other = inverse_depth[first], inverse_depth[second]
    tolerance = SLANT * float(np.hypot(down, over))
    same = np.abs(one - other) < tolerance * np.minimum(one, other)  # False where either is unknown
    agreeing[first] += same
    agreeing[second] += same


def _neighbours(height: int, width: int) -> NDArray[np.float32]:
    """How many neighbours each pixel has inside the picture: (h, w)."""
    rows, columns = (
        np.minimum(np.arange(side), REACH) + np.minimum(np.arange(side)[::-1], REACH) + 1 for side in (height, width)
    )
    return np.asarray(rows[:, None] * columns - 1, dtype=np.float32)
