"""Points that other views contradict: one that floats before what a surer photo sees there.

This module imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from .alignment import Aligned
from .pair_maps import SQUARE, centred_pixels

TOLERANCE = 0.001  # share of the depth that a point may lie before another photo's surface


@dataclass(frozen=True)
class Raster:
    """A picture's pixels."""

    size: tuple[int, int]  # H, W
    shape: tuple[float, float] = SQUARE  # width, height of a pixel


def cleaned(aligned: Aligned, rasters: Sequence[Raster]) -> Aligned:
    """The same, with confidence 1, which is none, for points that are contradicted. `rasters`: of each picture.

    A point is, where it falls on another picture's pixel whose depth is known, is nearer than that pixel and those
    around it by more than TOLERANCE, and less sure.
    """
    confidence = []
    for picture, own in enumerate(aligned.confidence):
        points = _world(aligned, picture, rasters[picture])
        wrong = torch.zeros_like(own, dtype=torch.bool)
        for other in range(len(aligned.pictures)):
            if other != picture:
                wrong |= _contradicted(points, own, aligned, other, rasters[other])
        confidence.append(torch.where(wrong & (aligned.depth[picture] > 0), 1.0, own))
    return replace(aligned, confidence=tuple(confidence))


def _world(aligned: Aligned, picture: int, raster: Raster) -> Tensor:
    """(3, P)"""
    pixels = centred_pixels(raster.size, raster.shape)
    depth, camera = aligned.depth[picture].cpu(), aligned.world_from_camera[picture].float()
    rays = torch.cat([pixels / aligned.focals[picture], torch.ones(1, pixels.shape[1])])
    return camera[:3, :3] @ (rays * depth) + camera[:3, 3:]


def _contradicted(points: Tensor, own: Tensor, aligned: Aligned, other: int, raster: Raster) -> Tensor:
    camera = aligned.world_from_camera[other].float()
    seen = camera[:3, :3].T @ (points - camera[:3, 3:])
    size, (wide, high) = raster.size, raster.shape
    pixels = seen[:2] / seen[2] * aligned.focals[other]
    columns = torch.nan_to_num(pixels[0] / wide + size[1] / 2, nan=-1.0, posinf=-1.0, neginf=-1.0).floor()
    rows = torch.nan_to_num(pixels[1] / high + size[0] / 2, nan=-1.0, posinf=-1.0, neginf=-1.0).floor()
    inside = (seen[2] > 0) & (columns >= 0) & (columns < size[1]) & (rows >= 0) & (rows < size[0])
    at = torch.where(inside, rows * size[1] + columns, 0).long()
    nearest, sure = _nearest_around(aligned.depth[other].cpu(), size)[at], aligned.confidence[other].cpu()[at]
    return inside & nearest.isfinite() & (seen[2] < nearest * (1 - TOLERANCE)) & (own.cpu() < sure)


def _nearest_around(depth: Tensor, size: tuple[int, int]) -> Tensor:
    """(P,): the least depth of each pixel and its eight neighbours, infinite where a pixel has none.

    A point seldom falls on a pixel's middle; on a slanting surface the next pixel is nearer by more than TOLERANCE.
    """
    known = torch.where(depth > 0, depth, torch.inf).reshape(1, 1, *size)
    around = -functional.max_pool2d(-known, 3, stride=1, padding=1)
    return torch.where(depth > 0, around.reshape(-1), torch.inf)
