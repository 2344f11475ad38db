"""The similarity that lays one set of points on another: Procrustes with weights, and a form that outliers do not pull.

    minimise  sum of w |s R a + t - b|^2                     (Umeyama 1991)
    minimise  sum of w |s R a + t - b|                       by reweighting the first with 1 / |s R a + t - b|

Any number of sets is registered at once: leading axes, written `...`.
This module imports torch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .lengths import lengths

ROUNDS = 30  # of reweighting at most
_SETTLED = 1e-6  # change of the similarity, relative to the target's size, that ends it
_NEAR = 1e-6  # relative to the target's size: points nearer than that count alike, so that no weight is infinite


@dataclass(frozen=True)
class Similarity:
    """b = scale R a + translation, all float64 on the CPU."""

    scale: Tensor  # (...)
    rotation: Tensor  # (..., 3, 3)
    translation: Tensor  # (..., 3)

    def apply(self, points: Tensor) -> Tensor:
        """(..., 3, P) -> (..., 3, P), in the dtype and on the device of the points."""
        matrix = (self.scale[..., None, None] * self.rotation).to(points.dtype).to(points.device)
        return matrix @ points + self.translation.to(points.dtype).to(points.device)[..., None]

    def rigid(self) -> Tensor:
        """(..., 4, 4): rotation and translation without the scale."""
        pose = torch.eye(4, dtype=torch.float64).repeat(*self.scale.shape, 1, 1)
        pose[..., :3, :3], pose[..., :3, 3] = self.rotation, self.translation
        return pose

    def after(self, first: "Similarity") -> "Similarity":
        """This one applied to what `first` gives."""
        return Similarity(
            self.scale * first.scale,
            self.rotation @ first.rotation,
            (self.scale[..., None] * (self.rotation @ first.translation[..., None])[..., 0]) + self.translation,
        )

    def __getitem__(self, number: int) -> "Similarity":
        return Similarity(self.scale[number], self.rotation[number], self.translation[number])


def register(source: Tensor, target: Tensor, weights: Tensor) -> Similarity:
    """Target from source, both (..., 3, P), weights (..., P): the least squares similarity.

    Where the source has no extent, or no weight, the scale is 1 and the rotation the identity.
    """
    total = weights.sum(dim=-1, keepdim=True)
    share = torch.where(total > 0, weights / total, 1 / weights.shape[-1]).to(source)[..., None]  # (..., P, 1)
    mean_source, mean_target = source @ share, target @ share  # (..., 3, 1)
    from_middle = source - mean_source
    weighted = from_middle * share.transpose(-1, -2)
    covariance = ((target - mean_target) @ weighted.transpose(-1, -2)).cpu().double()  # (..., 3, 3)
    variance = (from_middle * weighted).sum(dim=(-1, -2)).cpu().double()
    u, values, vt = torch.linalg.svd(covariance)
    sign = torch.ones_like(values)
    sign[..., 2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))
    scale = (values * sign).sum(dim=-1) / variance
    told = (scale > 0) & scale.isfinite() & (total[..., 0].cpu() > 0)
    scale = torch.where(told, scale, 1.0)
    rotation = torch.where(told[..., None, None], (u * sign[..., None, :]) @ vt, torch.eye(3, dtype=torch.float64))
    moved = mean_target.cpu().double() - scale[..., None, None] * rotation @ mean_source.cpu().double()
    return Similarity(scale, rotation, moved[..., 0])


def register_robustly(source: Tensor, target: Tensor, weights: Tensor, rounds: int = ROUNDS) -> Similarity:
    """As `register`, for distances instead of their squares: exact where the larger part of the weight agrees."""
    size = _size(target)  # (..., 1)
    found = register(source, target, weights)
    placed = found.apply(source)
    for _ in range(rounds):
        off = lengths(placed - target)
        found = register(source, target, weights / torch.maximum(off, _NEAR * size).clamp(min=1e-30))
        before, placed = placed, found.apply(source)
        moved = lengths(placed - before).median(dim=-1).values
        if bool((moved <= _SETTLED * size[..., 0]).all()):
            break
    return found


def register_cameras(source: Tensor, target: Tensor) -> Similarity:
    """Target from source, both world from camera (n, 4, 4) float64: their rotations' mean, and their places.

    With one camera, or where all stand on one spot, the scale is 1.
    """
    u, _, vt = torch.linalg.svd((target[:, :3, :3] @ source[:, :3, :3].transpose(1, 2)).sum(dim=0))
    rotation = u @ torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(u @ vt))]).double()) @ vt
    ours, theirs = source[:, :3, 3], target[:, :3, 3]
    spread = (ours - ours.mean(dim=0)).norm(), (theirs - theirs.mean(dim=0)).norm()
    scale = spread[1] / spread[0] if float(spread[0]) > 0 and float(spread[1]) > 0 else torch.ones(()).double()
    return Similarity(scale, rotation, theirs.mean(dim=0) - scale * rotation @ ours.mean(dim=0))


def _size(points: Tensor) -> Tensor:
    """(..., 3, P) -> (..., 1): a typical distance from their middle."""
    middle = points.median(dim=-1, keepdim=True).values
    typical: Tensor = lengths(points - middle).median(dim=-1, keepdim=True).values
    return typical
