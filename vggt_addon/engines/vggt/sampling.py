"""Values of feature maps between pixels, as the tracker needs them.

This module imports torch.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


def sample(maps: Tensor, points: Tensor, *, outside: str) -> Tensor:
    """Bilinear values at x, y in pixels with centres at integers: (n, C, H, W), (n, K, 2) -> (n, C, K).

    `outside` is "border" (the nearest pixel's value) or "zeros".
    """
    across, down = 2 / max(maps.shape[3] - 1, 1), 2 / max(maps.shape[2] - 1, 1)
    grid = torch.stack([points[..., 0] * across, points[..., 1] * down], dim=-1) - 1
    sampled = functional.grid_sample(maps, grid[:, :, None], padding_mode=outside, align_corners=True)
    return sampled[..., 0]


def pyramid(maps: Tensor, levels: int) -> list[Tensor]:
    """The map, then halved again and again by the mean of 2 x 2 pixels (an odd last row or column is dropped)."""
    halved = [maps]
    for _ in range(levels - 1):
        halved.append(functional.avg_pool2d(halved[-1], kernel_size=2, stride=2))
    return halved


def correlations(levels: list[Tensor], features: Tensor, positions: Tensor, radius: int) -> Tensor:
    """How well each track's feature fits the map around its position, on every level of the pyramid.

    `levels` of (n, C, H_l, W_l); `features` (n, K, C); `positions` (n, K, 2) in pixels of level 0 ->
    (n, K, levels · (2 · radius + 1)²): level-major, then the step in x, then the step in y. A product with a sampled
    feature equals the sample of a map of products, because both are linear; the maps of products, one for every
    track, are never made. Places outside the map count as zero.
    """
    steps = torch.arange(-radius, radius + 1, dtype=positions.dtype, device=positions.device)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1).flatten(0, 1)  # (side², 2), x slow
    found = []
    for level, maps in enumerate(levels):
        places = (positions / 2**level)[:, :, None] + offsets  # (n, K, side², 2)
        sampled = sample(maps, places.flatten(1, 2), outside="zeros").unflatten(2, places.shape[1:3])
        found.append(torch.einsum("nckp,nkc->nkp", sampled, features))
    return torch.cat(found, dim=-1) / math.sqrt(features.shape[-1])
