"""A smaller copy of a photo whose pixels are exactly square in the photo.

Resizing 1600 x 1067 to 1000 x 667 would stretch by 0.02 %, which a camera solver reads as a wrong focal length. Here
the copy is cut instead, by less than one of its own pixels, equally on both sides, so that the centre stays the centre.
This module imports nothing beyond numpy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Raster:
    """A copy's size and where it lies in the photo."""

    width: int  # copy pixels
    height: int  # copy pixels
    photo_from_raster: NDArray[
        np.float64
    ]  # (3, 3) copy pixels to photo pixels, centres at +0.5; uniform scale and shift

    @property
    def scale(self) -> float:
        """Photo pixels per copy pixel."""
        return float(self.photo_from_raster[0, 0])

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the copy in photo pixels."""
        left, top = float(self.photo_from_raster[0, 2]), float(self.photo_from_raster[1, 2])
        return left, top, left + self.width * self.scale, top + self.height * self.scale


def fit_raster(width: int, height: int, long_side: int) -> Raster:
    """The copy of a (width, height) photo whose long side has `long_side` pixels, or the photo itself if smaller."""
    scale = max(1.0, max(width, height) / long_side)
    # The long side divides exactly; the small excess guards the short side against rounding just below an integer.
    columns = max(1, int(width / scale + 1e-9))
    rows = max(1, int(height / scale + 1e-9))
    left, top = (width - columns * scale) / 2, (height - rows * scale) / 2
    return Raster(columns, rows, np.array([[scale, 0.0, left], [0.0, scale, top], [0.0, 0.0, 1.0]]))
