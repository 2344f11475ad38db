"""Depth of each pixel of a picture from all maps that show it, once cameras and similarities are known.

This module imports torch.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .lengths import lengths
from .pair_maps import PairMaps
from .registration import Similarity

ROUNDS = 8  # of reweighting
_NEAR = 1e-6  # relative to the depth: what is nearer than that counts alike
_CPU_BLOCK, _GPU_BLOCK = 1 << 18, 1 << 24  # values of one kind worked on at once


def rays_of(maps: PairMaps, picture: int, focal: float, world_from_camera: Tensor) -> tuple[Tensor, Tensor]:
    """Rays (3, P) in the world, one unit long along the axis, and where they start (3, 1)."""
    pixels = maps.pixels[picture] / focal
    turn, centre = (part.float().to(pixels.device) for part in (world_from_camera[:3, :3], world_from_camera[:3, 3:]))
    return turn @ torch.cat([pixels, torch.ones_like(pixels[:1])]), centre


def median_depth(maps: PairMaps, picture: int, pairs: Similarity, world_from_camera: Tensor) -> Tensor:
    """(P,) along the camera's axis: the median, by log confidence, of all maps laid into the world; 0: none says."""
    points, confidence = maps.points[picture], maps.confidence[picture]
    edges = [edge for edge, _ in maps.rows(picture)]
    axis = world_from_camera[:3, 2]
    # Depth is linear in the pair's own coordinates.
    directions = (pairs.scale[edges, None] * (axis @ pairs.rotation[edges])).float().to(points.device)  # (K, 3)
    starts = ((pairs.translation[edges] - world_from_camera[:3, 3]) @ axis).float().to(points.device)  # (K,)
    parts = []
    for part in _blocks(points):
        said = torch.baddbmm(starts[:, None, None], directions[:, None], points[:, :, part])[:, 0]
        parts.append(_weighted_median(said, torch.where(said > 0, confidence[:, part].log(), 0.0)))
    return torch.cat(parts)


def depth_along_rays(
    maps: PairMaps, picture: int, pairs: Similarity, focal: float, world_from_camera: Tensor
) -> Tensor:
    """(P,): what minimises the alignment's loss of each pixel by itself, sum of w |D ray - point|; 0 where none says.

    The least squares depth, reweighted from the median on.
    """
    rays, centre = rays_of(maps, picture, focal, world_from_camera)
    edges = [edge for edge, _ in maps.rows(picture)]
    matrices = (pairs.scale[edges, None, None] * pairs.rotation[edges]).float().to(rays.device)  # (K, 3, 3)
    shifts = pairs.translation[edges].float().to(rays.device)[..., None] - centre  # (K, 3, 1)
    depth = median_depth(maps, picture, pairs, world_from_camera)
    for part in _blocks(maps.points[picture]):
        points = torch.baddbmm(shifts, matrices, maps.points[picture][:, :, part])  # (K, 3, b) from the centre
        weights = maps.confidence[picture][:, part].log()
        ray, found = rays[:, part], depth[part]
        along, square = (points * ray).sum(dim=1), (ray * ray).sum(dim=0)
        for _ in range(ROUNDS):
            off = lengths(found * ray - points)
            share = weights / torch.maximum(off, _NEAR * found).clamp_(min=1e-20)
            again = (share * along).sum(dim=0) / (share.sum(dim=0) * square)
            found = torch.where(again.isfinite() & (again > 0) & (found > 0), again, found)
        depth[part] = found
    return depth


def _blocks(points: Tensor) -> Iterator[slice]:
    """Pixels of (K, 3, P) that are worked on at once: on a processor, what its cache holds."""
    most = _CPU_BLOCK if points.device.type == "cpu" else _GPU_BLOCK
    step = max(256, most // max(1, 3 * len(points)))
    for low in range(0, points.shape[2], step):
        yield slice(low, low + step)


def _weighted_median(said: Tensor, weights: Tensor) -> Tensor:
    """(K, P) numbers and weights -> (P,) the median over K; 0 where no weight is."""
    order = said.argsort(dim=0)
    sums = weights.gather(0, order).cumsum(dim=0)
    place = (sums < sums[-1:] / 2).sum(dim=0, keepdim=True).clamp(max=len(said) - 1)
    return torch.where(sums[-1] > 0, said.gather(0, order).gather(0, place)[0], 0.0).clamp(min=0.0)
