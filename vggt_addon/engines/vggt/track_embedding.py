"""How the tracker writes positions and displacements as vectors.

This module imports torch.
"""

import torch
from torch import Tensor

TEMPERATURE = 10000.0  # of the sines that embed a place
DISPLACEMENT_DIVISOR = 518.0  # divides feature pixels: the trained picture's side, whatever the picture's size is


def displacement_embedding(displacement: Tensor, channels: int) -> Tensor:
    """A track's displacement since the first frame, in feature pixels: (..., 2) -> (..., 2 · channels + 4).

    Sine and cosine in turn, with frequencies that grow linearly to almost 1000: a change of 1e-3 pixels shows.
    """
    frequencies = torch.arange(0, channels, 2, dtype=displacement.dtype, device=displacement.device) * (
        1000.0 / channels
    )
    angles = displacement[..., None] * frequencies  # (..., 2, channels/2)
    turned = torch.stack([angles.sin(), angles.cos()], dim=-1)  # (..., 2, channels/2, 2)
    scaled = displacement / DISPLACEMENT_DIVISOR
    return torch.cat([turned.flatten(-3), scaled, scaled], dim=-1)


def position_embedding(places: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """Sines and cosines of x and of y on the pixels of a map of `size`, read between them: (..., 2) -> (..., channels).

    Beyond the map the border's value holds.
    """
    height, width = size
    return torch.cat(
        [_read(places[..., 0], width, channels // 4), _read(places[..., 1], height, channels // 4)], dim=-1
    )


def _read(place: Tensor, count: int, channels: int) -> Tensor:
    """(...) -> (..., 2 · channels): the table's rows on both sides of each place, blended."""
    frequencies = TEMPERATURE ** (-torch.arange(channels, dtype=torch.float64) / channels)
    angles = torch.arange(count, dtype=torch.float64)[:, None] * frequencies
    table = torch.cat([angles.sin(), angles.cos()], dim=1).to(place.dtype).to(place.device)
    inside = place.clamp(0, count - 1)
    lower = inside.to(torch.int64).clamp(max=max(count - 2, 0))
    upper = (lower + 1).clamp(max=count - 1)
    weight = (inside - lower)[..., None]
    return table[lower] * (1 - weight) + table[upper] * weight
