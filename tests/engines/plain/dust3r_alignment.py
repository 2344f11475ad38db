"""The alignment's loss in its plainest form: pair by pair, side by side, autograd for the gradient.

Imports torch and the package's records.
"""

import torch
from torch import Tensor

from vggt_addon.engines.dust3r.pair_maps import PairMaps


def loss(maps: PairMaps, world: list[Tensor], similarities: Tensor) -> Tensor:
    """World points of every picture, n times (3, P), and world from pair (E, 3, 4) -> the loss, a scalar."""
    areas = [sum(maps.pixels[edge[side]].shape[1] for edge in maps.edges) for side in (0, 1)]
    total = torch.zeros((), dtype=world[0].dtype)
    for number, edge in enumerate(maps.edges):
        for side in (0, 1):
            points, confidence = maps.map(number, side)
            laid = similarities[number, :, :3] @ points.to(total) + similarities[number, :, 3:]
            distance = (world[edge[side]] - laid).norm(dim=0)
            total = total + (confidence.to(total).log() * distance).sum() / areas[side]
    return total
