"""Details of a picture that are found again in another: SIFT (Lowe 2004), compared as RootSIFT (Arandjelovic 2012).

This module imports numpy and OpenCV.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.projection import scale_pixels

Float = NDArray[np.float64]

LONG_SIDE = 1600  # pixels of the pictures that details are looked for in: more finds hardly any that are found again
MOST_FEATURES = 4096  # of one picture, the clearest
RATIO = 0.8  # the second best match must be that much farther away (Lowe 2004, section 7.1)
FALSE_BEFORE = 2.5  # pixels of LONG_SIDE: how far from its epipolar line a match may lie
LEAST_MATCHES = 15  # of two pictures that agree on one geometry; fewer come about by chance
_ROWS = 1024  # descriptors compared with all others at a time


@dataclass(frozen=True)
class Features:
    """Details of one photo."""

    pixels: Float  # (n, 2) of the photo, centres at +0.5
    descriptors: NDArray[np.float32]  # (n, 128) of length 1


def find_features(picture: NDArray[np.uint8], width: int, used: NDArray[np.uint8] | None = None) -> Features:
    """Details of the picture (h, w, 3) of a photo that is `width` pixels wide.

    `used`, (h, w) of the same picture: 0 where none is wanted.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, LONG_SIDE / max(grey.shape))
    if scale < 1.0:
        size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        if used is not None:
            used = np.asarray(cv2.resize(used, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    sift = cv2.SIFT.create(MOST_FEATURES, 3, 0.02, 10.0, 1.6, True)  # True: places without a bias from doubling
    found, histograms = sift.detectAndCompute(grey, np.full(grey.shape, 255, np.uint8) if used is None else used)
    if not found:
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    pixels = np.array([detail.pt for detail in found], np.float64) + 0.5  # OpenCV: centres at +0
    shares = histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1e-9)
    ratio = scale_pixels(width / grey.shape[1], width / grey.shape[1])
    return Features(pixels @ ratio[:2, :2], np.sqrt(shares, dtype=np.float32))


def match(first: Features, second: Features) -> NDArray[np.int64]:
    """Pairs of indices (m, 2) of details that are each other's nearest, and clearly so."""
    if min(len(first.pixels), len(second.pixels)) < 2:
        return np.zeros((0, 2), np.int64)
    nearest, clear = _nearest(first.descriptors, second.descriptors)
    back, _ = _nearest(second.descriptors, first.descriptors)
    own = np.arange(len(nearest))
    kept = clear & (back[nearest] == own)
    return np.stack([own[kept], nearest[kept]], axis=1)


def consistent(
    first: Features, second: Features, pairs: NDArray[np.int64], long_sides: tuple[int, int]
) -> NDArray[np.int64]:
    """Those of the matches (m, 2) that agree on one geometry between both photos; none where chance does as well.

    long_sides: pixels of both photos.
    """
    nothing = np.zeros((0, 2), np.int64)
    if len(pairs) < LEAST_MATCHES:
        return nothing
    seen = [
        features.pixels[pairs[:, column]] * (LONG_SIDE / long_sides[column])
        for column, features in enumerate((first, second))
    ]
    fundamental, agree = cv2.findFundamentalMat(
        seen[0], seen[1], cv2.USAC_MAGSAC, ransacReprojThreshold=FALSE_BEFORE, confidence=0.9999, maxIters=5000
    )
    if fundamental is None or agree is None or int(agree.sum()) < LEAST_MATCHES:
        return nothing
    return np.asarray(pairs[agree[:, 0] > 0])


def _nearest(
    descriptors: NDArray[np.float32], among: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Index of the nearest of `among` for each descriptor, and whether the second nearest is clearly farther."""
    nearest = np.empty(len(descriptors), np.int64)
    clear = np.empty(len(descriptors), np.bool_)
    for start in range(0, len(descriptors), _ROWS):
        likeness = descriptors[start : start + _ROWS] @ among.T  # of unit vectors: distance^2 = 2 - 2 likeness
        rows = np.arange(len(likeness))
        best = likeness.argmax(axis=1)
        first = np.maximum(2 - 2 * likeness[rows, best], 0)
        likeness[rows, best] = -1.0
        second = np.maximum(2 - 2 * likeness.max(axis=1), 0)
        nearest[start : start + _ROWS] = best
        clear[start : start + _ROWS] = first < RATIO**2 * second
    return nearest, clear
