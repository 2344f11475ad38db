"""What DUSt3R says of photos and of pairs of them, with axes, dtype, unit and frame at every field.

This module imports torch.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EncodedPhotos:
    """B photos of one size after the encoder: made once for each photo, used in every pair that it is in."""

    tokens: Tensor  # (B, h·w, width) float32: patches row-major, after the encoder's norm
    grid: tuple[int, int]  # patches: h, w

    def __getitem__(self, photos: slice) -> "EncodedPhotos":
        return EncodedPhotos(self.tokens[photos], self.grid)


@dataclass(frozen=True)
class PointMap:
    """One photo's pixels in space."""

    points: Tensor  # (B, H, W, 3) float32: in the frame of the pair's first camera (x right, y down, z forward), up to
    #   one scale for the pair
    confidence: Tensor  # (B, H, W) float32, from 1 up


@dataclass(frozen=True)
class PairOutput:
    """Both photos of a directed pair, in the frame of the first one's camera."""

    first: PointMap
    second: PointMap
