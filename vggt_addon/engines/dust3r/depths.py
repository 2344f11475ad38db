"""Depth of each pixel of a picture from all maps that show it, once cameras and similarities are known.

This module imports torch.
"""

import torch
from torch import Tensor

from .pair_maps import PairMaps
from .registration import Similarity

ROUNDS = 8  # of reweighting
_NEAR = 1e-6  # relative to the depth: what is nearer than that counts alike
_BLOCK = 1 << 22  # values worked on at once


def rays_of(maps: PairMaps, picture: int, focal: float, world_from_camera: Tensor) -> tuple[Tensor, Tensor]:
    """Rays (3, P) in the world, one unit long along the axis, and where they start (3, 1)."""
    pixels = maps.pixels[picture] / focal
    turn, centre = world_from_camera[:3, :3].to(pixels), world_from_camera[:3, 3:].to(pixels)
    return turn @ torch.cat([pixels, torch.ones_like(pixels[:1])]), centre


def median_depth(maps: PairMaps, picture: int, pairs: Similarity, world_from_camera: Tensor) -> Tensor:
    """(P,) along the camera's axis: the median, by log confidence, of all maps laid into the world; 0: none says."""
    axis = world_from_camera[:3, 2]
    rows = maps.rows(picture)
    along = []
    for row, (edge, _) in enumerate(rows):
        pair = pairs[edge]
        direction = pair.scale * axis @ pair.rotation  # depth is linear in the pair's own coordinates
        start = axis @ (pair.translation - world_from_camera[:3, 3])
        along.append(direction.to(maps.points[picture]) @ maps.points[picture][row] + float(start))
    said = torch.stack(along)
    return _weighted_median(said, torch.where(said > 0, maps.confidence[picture].log(), 0.0))


def depth_along_rays(
    maps: PairMaps, picture: int, pairs: Similarity, focal: float, world_from_camera: Tensor
) -> Tensor:
    """(P,): what minimises the alignment's loss of each pixel by itself, sum of w |D ray - point|; 0 where none says.

    The least squares depth, reweighted from the median on.
    """
    rays, centre = rays_of(maps, picture, focal, world_from_camera)
    edges = [edge for edge, _ in maps.rows(picture)]
    matrices = (pairs.scale[edges, None, None] * pairs.rotation[edges]).to(rays)  # (K, 3, 3)
    shifts = pairs.translation[edges].to(rays)[..., None] - centre  # (K, 3, 1)
    depth = median_depth(maps, picture, pairs, world_from_camera)
    step = max(256, _BLOCK // max(1, len(edges)))
    for low in range(0, len(depth), step):
        part = slice(low, low + step)
        points = torch.baddbmm(shifts, matrices, maps.points[picture][:, :, part])  # (K, 3, b) from the centre
        weights = maps.confidence[picture][:, part].log()
        ray, found = rays[:, part], depth[part]
        along, square = (points * ray).sum(dim=1), (ray * ray).sum(dim=0)
        for _ in range(ROUNDS):
            off = (found * ray - points).norm(dim=1)
            share = weights / torch.maximum(off, _NEAR * found).clamp(min=1e-20)
            again = (share * along).sum(dim=0) / (share.sum(dim=0) * square)
            found = torch.where(again.isfinite() & (again > 0) & (found > 0), again, found)
        depth[part] = found
    return depth


def _weighted_median(said: Tensor, weights: Tensor) -> Tensor:
    """(K, P) numbers and weights -> (P,) the median over K; 0 where no weight is."""
    order = said.argsort(dim=0)
    sums = weights.gather(0, order).cumsum(dim=0)
    place = (sums < sums[-1:] / 2).sum(dim=0, keepdim=True).clamp(max=len(said) - 1)
    return torch.where(sums[-1] > 0, said.gather(0, order).gather(0, place)[0], 0.0).clamp(min=0.0)
