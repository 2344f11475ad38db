"""The alignment's loss and its gradient: how far every map, laid into the world, is from the points it speaks of.

    L = sum over pairs and sides of  w |P - T(X)| / A,   w = log(confidence)

(DUSt3R, section 3.4), |.| the Euclidean length, A the pixels of all first maps, or of all second ones. The gradient is
written out: with the unit vectors u = (P - T(X)) / |P - T(X)|, dL/dP = w u / A and dL/dT = - w u [X, 1]^T / A. So
nothing is kept from forward to backward, and blocks of pixels that fit the processor's cache are read from memory once.
This module imports torch.
"""

from typing import Any

import torch
from torch import Tensor

from .lengths import lengths
from .pair_maps import PairMaps

_CPU_BLOCK = 1 << 18  # values of one kind worked on at once, so that they stay in the cache
_GPU_BLOCK = 1 << 24  # there, only memory limits it


class AlignmentLoss:
    """The loss of one set of maps as a function of world points and similarities."""

    def __init__(self, maps: PairMaps) -> None:
        areas = [0.0, 0.0]
        for edge in maps.edges:
            for side in (0, 1):
                areas[side] += maps.pixels[edge[side]].shape[1]
        self.points = maps.points
        self.weights: list[Tensor] = []  # n times (K, P)
        self.edge_of_map: list[Tensor] = []  # n times (K,)
        for picture, confidence in enumerate(maps.confidence):
            rows = maps.rows(picture)
            share = torch.tensor([[1 / areas[side]] for _, side in rows], device=confidence.device).reshape(-1, 1)
            self.weights.append(confidence.log() * share)
            self.edge_of_map.append(
                torch.tensor([edge for edge, _ in rows], device=confidence.device, dtype=torch.long)
            )
        self.starts = [0]
        for pixels in maps.pixels:
            self.starts.append(self.starts[-1] + pixels.shape[1])

    def __call__(self, world: Tensor, similarities: Tensor) -> Tensor:
        """World points (3, all pixels of all pictures) and world from pair (E, 3, 4) -> the loss, a scalar."""
        loss: Tensor = _WrittenOut.apply(world, similarities, self)  # type: ignore[no-untyped-call] # torch's
        return loss

    def evaluate(self, world: Tensor, similarities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The loss and its gradients with respect to both arguments."""
        loss = torch.zeros((), device=world.device)
        world_gradient = torch.zeros_like(world)
        gradient = torch.zeros_like(similarities)
        for picture, points in enumerate(self.points):
            if not len(points):
                continue
            edges, weights = self.edge_of_map[picture], self.weights[picture]
            transforms = similarities[edges]  # (K, 3, 4)
            rotations, shifts = transforms[..., :3].contiguous(), transforms[..., 3:]
            start, count = self.starts[picture], points.shape[2]
            part = torch.zeros_like(transforms)
            step = max(64, (_CPU_BLOCK if world.device.type == "cpu" else _GPU_BLOCK) // (3 * len(points)))
            for low in range(0, count, step):
                high = min(low + step, count)
                block = points[:, :, low:high]
                residual = torch.sub(world[:, start + low : start + high], shifts)  # (K, 3, b)
                residual.baddbmm_(rotations, block, alpha=-1)
                distance = lengths(residual)
                weight = weights[:, low:high]
                loss += torch.dot(weight.reshape(-1), distance.reshape(-1))
                residual *= (weight / distance.clamp_(min=1e-20)).unsqueeze(1)  # a length of zero has no direction
                torch.sum(residual, dim=0, out=world_gradient[:, start + low : start + high])
                part[..., :3] -= torch.bmm(residual, block.transpose(1, 2))
                part[..., 3] -= residual.sum(dim=2)
            gradient.index_add_(0, edges, part)
        return loss, world_gradient, gradient


class _WrittenOut(torch.autograd.Function):
    """`AlignmentLoss.evaluate` for autograd: gradients are made on the way forward and only scaled on the way back."""

    @staticmethod
    def forward(ctx: Any, world: Tensor, similarities: Tensor, loss: AlignmentLoss) -> Tensor:
        value, world_gradient, gradient = loss.evaluate(world, similarities)
        ctx.save_for_backward(world_gradient, gradient)
        return value

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        world_gradient, gradient = ctx.saved_tensors
        return world_gradient * outer[0], gradient * outer[0], None
