"""Which pixels of two photos show the same point: mutual nearest neighbours in space (DUSt3R, section 3.3).

This module imports torch.
"""

import torch
from torch import Tensor

_BLOCK = 1 << 22  # distances in memory at a time


def mutual_nearest(first: Tensor, second: Tensor) -> Tensor:
    """Points (3, P) and (3, Q) of one frame -> pairs of indices (m, 2), each the nearest of the other, by the first."""
    if not first.shape[1] or not second.shape[1]:
        return torch.zeros(0, 2, dtype=torch.long, device=first.device)
    nearest = _nearest(first, second)
    back = _nearest(second, first)
    own = torch.arange(first.shape[1], device=first.device)
    mutual = back[nearest] == own
    return torch.stack([own[mutual], nearest[mutual]], dim=1)


def matched_pixels(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], least_confidence: float = 1.5
) -> Tensor:
    """Of two maps of one pair, points (3, P) and confidence (P,), those pixels that match: (m, 2) flat indices.

    Pixels less sure than `least_confidence` take no part.
    """
    kept = [torch.nonzero(confidence >= least_confidence)[:, 0] for _, confidence in (first, second)]
    pairs = mutual_nearest(first[0][:, kept[0]], second[0][:, kept[1]])
    return torch.stack([kept[0][pairs[:, 0]], kept[1][pairs[:, 1]]], dim=1)


def _nearest(points: Tensor, among: Tensor) -> Tensor:
    """(P,) index of the nearest of `among` for each point; differences are taken, so that what is far stays exact."""
    step = max(1, _BLOCK // among.shape[1])
    targets = among.T.contiguous()
    parts = [
        torch.cdist(part.T.contiguous(), targets, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1)
        for part in points.split(step, dim=1)
    ]
    return torch.cat(parts)
