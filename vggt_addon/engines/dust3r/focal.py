"""The focal length of a point map in its own camera's frame, by Weiszfeld's iteration (DUSt3R, section 3.3).

    minimise over f   sum of w |p - f q|,   p: pixel from the picture's middle,   q = (x/z, y/z)

This module imports torch.
"""

import torch
from torch import Tensor

from .lengths import lengths

PUBLISHED_ROUNDS = 10
_ROUNDS = 50
_NEAR = 1e-8  # pixels
_SETTLED = 1e-7  # relative


def focal_length(points: Tensor, pixels: Tensor) -> float:
    """Points (3, P) and their pixels (2, P) from the middle -> pixels, as published: ten rounds, every pixel alike."""
    q = _directions(points)
    cross, square = (pixels * q).sum(dim=0), (q * q).sum(dim=0)
    focal = cross.mean() / square.mean()
    for _ in range(PUBLISHED_ROUNDS):
        weights = 1 / lengths(pixels - focal * q).clamp(min=_NEAR)
        focal = (weights * cross).mean() / (weights * square).mean()
    return float(focal)


def robust_focal_length(points: Tensor, pixels: Tensor, weights: Tensor) -> float | None:
    """The same, by weights (P,), started from the median of what each pixel says, until it settles.

    None where no pixel with weight says anything.
    """
    q = _directions(points)
    cross, square = (pixels * q).sum(dim=0), (q * q).sum(dim=0)
    telling = (weights > 0) & (square > 0) & (points[2] > 0) & (cross > 0)
    if not bool(telling.any()):
        return None
    # A pixel near the middle says little of the focal length; the outer ones, about their median.
    far = lengths(pixels)
    outer = telling & (far >= far[telling].median())
    focal = float((cross[outer] / square[outer]).median())
    q, pixels, cross, square, weights = (
        q[:, telling],
        pixels[:, telling],
        cross[telling],
        square[telling],
        weights[telling],
    )
    for _ in range(_ROUNDS):
        again = weights / lengths(pixels - focal * q).clamp(min=_NEAR * 1e3)
        before, focal = focal, float((again * cross).sum() / (again * square).sum())
        if abs(focal - before) < _SETTLED * focal:
            break
    return focal


def _directions(points: Tensor) -> Tensor:
    """(2, P) x/z and y/z; 0 where that is no number."""
    return torch.nan_to_num(points[:2] / points[2], nan=0.0, posinf=0.0, neginf=0.0)
