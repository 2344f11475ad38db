"""The few picture operations that OpenCV does for this package, each with its types and its border rule.

numpy alone would need 10 times as long for the warps, which are most of the work (benchmarks/dense_depth.py).
Pixel centres are at integers here, as OpenCV has them. Imports numpy and OpenCV only.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]  # (h, w), one number per pixel

FAR_UNITS = 32  # distance of the unknown from every value, in eighths of a difference


def _map(result: object) -> Map:
    """OpenCV's stubs know no dtype; these operations keep float32."""
    return np.asarray(result, dtype=np.float32)


def grey(color: NDArray[np.uint8]) -> Map:
    """Luma of an sRGB picture (h, w, 3), in [0, 1]."""
    return _map(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)) / np.float32(255)


def shrink(values: Map, shape: tuple[int, int]) -> Map:
    """Area average to a smaller shape (h, w)."""
    return _map(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_AREA))


def enlarge(values: Map, shape: tuple[int, int]) -> Map:
    """Bilinear to a larger shape (h, w)."""
    return _map(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_LINEAR))


def local_mean(values: Map, radius: int, spread: float) -> Map:
    """Gaussian mean over (2 radius + 1)^2 pixels; the picture is mirrored at its border."""
    return _map(cv2.GaussianBlur(values, (2 * radius + 1, 2 * radius + 1), spread))


def median(values: Map, size: int) -> Map:
    """Median over size x size pixels, 3 or 5."""
    return _map(cv2.medianBlur(values, size))


def bilateral(values: Map, value_spread: float, pixel_spread: float) -> Map:
    """Gaussian mean of nearby pixels with similar values."""
    return _map(cv2.bilateralFilter(values, -1, value_spread, pixel_spread))


def largest_around(values: Map, radius: int) -> Map:
    """Largest value within (2 radius + 1)^2 pixels."""
    return _map(cv2.dilate(values, np.ones((2 * radius + 1, 2 * radius + 1), dtype=np.uint8)))


def without_speckles(values: Map, largest: int, difference: float) -> NDArray[np.bool_]:
    """True at values > 0 that belong to a patch of more than `largest` pixels.

    A patch is connected (4 sides), and its neighbours differ by at most `difference`. Values up to 4000 differences.
    """
    units = np.clip(values * np.float32(8 / difference), 0, np.iinfo(np.int16).max)
    patches = np.where(values > 0, np.maximum(np.rint(units), 1), -FAR_UNITS).astype(np.int16)
    cv2.filterSpeckles(patches, -FAR_UNITS, largest, 8)
    return np.asarray(patches > 0)


def sample_linear(values: Map, x: Map, y: Map) -> Map:
    """Values at columns x, rows y (precise to 1/32 pixel); outside, those of the nearest border pixel."""
    return _map(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def sample_nearest(values: Map, x: Map, y: Map) -> Map:
    """Values of the pixels nearest to columns x, rows y."""
    return _map(cv2.remap(values, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE))
