"""Taking the solved distortion out of a photo while keeping its size and its intrinsics.

COLMAP's SIMPLE_RADIAL: a point at (x, y) in normalised camera coordinates is seen at (x, y) (1 + k (x^2 + y^2)). A
straightened picture is therefore looked up in the photo at the distorted place of each of its pixels.
This module imports nothing beyond numpy and OpenCV.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

WORTH_UNDISTORTING = 0.5  # pixels at the farthest corner
PIXELS_AT_ONCE = 250_000  # their maps take 100 bytes each, on every thread: a whole photo would be gigabytes


def corner_displacement(width: int, height: int, intrinsics: NDArray[np.float64], distortion: float) -> float:
    """Pixels by which the lens moves the farthest corner of a (width, height) photo."""
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    return float(np.linalg.norm(distorted(corners, intrinsics, distortion) - corners, axis=1).max())


def distorted(pixels: NDArray[np.float64], intrinsics: NDArray[np.float64], distortion: float) -> NDArray[np.float64]:
    """Where the lens puts what a perfect one would put at `pixels` (..., 2); pixels of the photo, centres at +0.5."""
    focal, center = intrinsics[[0, 1], [0, 1]], intrinsics[:2, 2]
    normalized = (pixels - center) / focal
    radius_squared = (normalized**2).sum(axis=-1, keepdims=True)
    return np.asarray(normalized * (1 + distortion * radius_squared) * focal + center, dtype=np.float64)


def undistort(picture: NDArray[np.uint8], intrinsics: NDArray[np.float64], distortion: float) -> NDArray[np.uint8]:
    """The picture, (h, w, 3), or mask, (h, w), as a lens without distortion would have taken it.

    `intrinsics` are in the picture's pixels.

    Beyond the photo's own edge (a pincushion lens shows less in the corners) the edge is repeated: a smeared rim of a
    few pixels looks better on a relief than a black one.
    """
    height, width = picture.shape[:2]
    result = np.empty_like(picture)
    rows_at_once = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, rows_at_once):
        bottom = min(height, top + rows_at_once)
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(top, bottom) + 0.5)
        source = distorted(np.stack([columns, rows], axis=-1), intrinsics, distortion) - 0.5  # OpenCV: centres at +0
        result[top:bottom] = cv2.remap(
            picture,
            source[..., 0].astype(np.float32),
            source[..., 1].astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return result
