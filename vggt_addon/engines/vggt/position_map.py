"""The position map that VGGT's dense heads add to their features: sines and cosines of the place in the picture.

This module imports torch.

Half of the channels depend on the column alone, half on the row alone, so that two small tables, broadcast, give the
same numbers to the bit as the full map, which is never made.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BASE = 100.0
STRENGTH = 0.1


@dataclass(frozen=True)
class PositionMap:
    """The map of a grid of height x width, for features with `2 · half` channels."""

    columns: Tensor  # (width, half): sine, then cosine, of the column
    rows: Tensor  # (height, half): sine, then cosine, of the row

    def add_to(self, maps: Tensor, first_row: int = 0) -> Tensor:
        """Add in place to (batch, channels, rows, width), whose first row is the grid's `first_row`; returns it."""
        half = self.columns.shape[1]
        last_row = first_row + maps.shape[2]
        maps[:, :half] += self.columns.T[:, None, :]
        maps[:, half:] += self.rows[first_row:last_row].T[:, :, None]
        return maps


def position_map(height: int, width: int, channels: int, aspect: float, like: Tensor) -> PositionMap:
    """Map of a grid in a picture whose width is `aspect` times its height; dtype and device of `like`.

    Places are measured from the middle, in units of the picture's half diagonal; frequencies fall from 1 towards 1/100.
    Made in float64, rounded to float32, then scaled by 0.1, whatever the dtype of `like`.
    """
    diagonal = (aspect**2 + 1) ** 0.5
    return PositionMap(_table(width, aspect / diagonal, channels, like), _table(height, 1 / diagonal, channels, like))


def _table(count: int, span: float, channels: int, like: Tensor) -> Tensor:
    edge = span * (count - 1) / count
    place = torch.linspace(-edge, edge, count, dtype=torch.float64)
    quarter = channels // 4
    frequencies = BASE ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = place[:, None] * frequencies
    table = torch.cat([angles.sin(), angles.cos()], dim=1).float() * STRENGTH
    return table.to(like.device, like.dtype)
