"""How well the two directions of a pair agree: who is sure of nonsense seldom says the same nonsense twice.

Where two photos share nothing, the network may still be sure of what it says. Both directions then tell of two
different scenes, which no similarity lays on each other; such a pair should not be what a world is built on.
This module imports torch.
"""

import torch
from torch import Tensor

from .lengths import lengths
from .pair_maps import PairMaps
from .registration import register_robustly

TOLERATED = 0.05  # share of the scene's size by which good pairs' directions may differ
_MOST_POINTS = 1000  # of each picture
_ROUNDS = 10


def agreements(maps: PairMaps) -> list[float]:
    """Of each directed pair, in (0, 1]: 1 / (1 + (d / TOLERATED)^2), d the distance between its points and those of
    the other direction after the best similarity, as a share of their size; 1 where there is no other direction."""
    numbers = {edge: number for number, edge in enumerate(maps.edges)}
    found = [1.0] * len(maps.edges)
    for (i, j), number in numbers.items():
        other = numbers.get((j, i))
        if other is not None and number < other:
            found[number] = found[other] = 1 / (1 + (_distance(maps, number, other) / TOLERATED) ** 2)
    return found


def _distance(maps: PairMaps, number: int, other: int) -> float:
    """The larger of both pictures' typical distances."""
    sides = [_corresponding(maps.map(number, side), maps.map(other, 1 - side)) for side in (0, 1)]
    source, target, weights = (torch.cat(parts, dim=-1) for parts in zip(*sides, strict=True))
    laid = register_robustly(source, target, weights, _ROUNDS).apply(source)
    size = float(lengths(target - target.median(dim=1, keepdim=True).values).median())
    if not size > 0:
        return 0.0
    counts = [part[0].shape[1] for part in sides]
    off = lengths(laid - target).split(counts)
    return max(float(part.median()) for part in off) / size


def _corresponding(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Points (3, p) of two maps of one picture and their common weights (p,), of pixels that both are sure of."""
    weights = (one[1].log() * other[1].log()).sqrt()
    kept = weights >= weights.median()
    step = max(1, int(kept.sum()) // _MOST_POINTS)
    at = torch.nonzero(kept)[::step, 0]
    return one[0][:, at], other[0][:, at], weights[at]
