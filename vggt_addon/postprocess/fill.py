"""Depth for the pixels that were not measured, so that a relief is whole.

Holes are filled in inverse depth, from coarse to fine. On the way down, each level holds the confidence-weighted mean
of what was measured (push-pull: Gortler et al., "The Lumigraph", 1996). On the way up, each hole takes its start from
the coarser level's pixels of like colour (joint bilateral upsampling: Kopf et al., 2007) and is then relaxed: every
hole becomes the mean of its 4 neighbours weighted by likeness of colour. Measured pixels are held; on coarse levels
only as firmly as they are many and trusted, so that a lone wrong one does not reach far. That is a membrane: it never
leaves the range of what was measured, has no spikes, and goes on into the sky where the roofs end.
This module imports nothing beyond the standard library and numpy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .support import ENOUGH, neighbour_support

Float = NDArray[np.float32]

COLOR_SCALE = 0.03  # a difference of guides, of full scale, that leaves a third of the trust
BRIGHTNESS, HUE = 0.5, 2.0  # what differences in brightness and in hue count: grain and shadow are brightness
LEAST_WEIGHT = 1e-3  # no colour edge closes entirely, or an enclosed hole would have nothing to start from
RELAXATIONS = 24  # at each level; the reach in pixels of that level
FIRM = 0.1  # measured share of a coarse pixel, times its trust, at which it is held half
LEAST_TRUST = 1e-3  # a measured pixel counts for this much at least


def fill_depth(
    depth: Float,
    confidence: Float,
    color: NDArray[np.uint8] | None = None,
    fallback_depth: float = 1.0,
) -> Float:
    """`depth` with its holes filled: (h, w) float32, finite and > 0 everywhere, measured pixels as they were.

    depth (h, w) float32, 0 where unknown; confidence (h, w) in [0, 1]; color (h, w, 3) sRGB of the same pixels, or
    None to fill without regard to colour. A map without any measured pixel becomes a plane at `fallback_depth` > 0.
    """
    measured = depth > 0
    if not measured.any():
        return np.full(depth.shape, fallback_depth, np.float32)
    if measured.all():
        return depth.copy()
    typical = float(np.median(depth[measured]))
    level = _Level(
        inverse_depth=np.where(measured, typical / np.where(measured, depth, 1).astype(np.float64), 0)
        .clip(0, 1e6)
        .astype(np.float32),
        weight=_trust(depth, confidence),
        guide=_guide(color, depth.shape),
    )
    inverse_depth = _filled(level, measured.astype(np.float32)).astype(np.float64)
    filled = typical / np.maximum(inverse_depth, 1e-30)
    known = depth[measured]
    return np.where(measured, depth, filled.clip(known.min(), known.max()).astype(np.float32))


@dataclass(frozen=True)
class _Level:
    """One level of the pyramid."""

    inverse_depth: Float  # (h, w) in units of 1 / median depth; meaningless where weight is 0
    weight: Float  # (h, w) measured share times trust; 0: a hole
    guide: Float  # (channels, h, w) what tells surfaces apart; see `_guide`


def _trust(depth: Float, confidence: Float) -> Float:
    """How much a measured pixel tells about the holes around it: its confidence, little for a lone speck; 0: a hole."""
    company = np.minimum(neighbour_support(depth) / np.float32(ENOUGH), 1)
    return np.where(depth > 0, np.maximum(confidence * company**2, LEAST_TRUST), 0).astype(np.float32)


def _guide(color: NDArray[np.uint8] | None, shape: tuple[int, ...]) -> Float:
    """Brightness, and red and blue against it, weighted so that objects differ and grain does not."""
    if color is None:
        return np.zeros((1, *shape), np.float32)
    red, green, blue = color.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    brightness = 0.3 * red + 0.59 * green + 0.11 * blue
    return np.stack([BRIGHTNESS * brightness, HUE * (red - brightness), HUE * (blue - brightness)])


def _filled(level: _Level, hold: Float) -> Float:
    """Inverse depth (h, w) of `level` with its holes filled; hold (h, w) 1: stays as measured, 0: is free."""
    holes = level.weight == 0
    if not holes.any():
        return level.inverse_depth
    if max(holes.shape) == 1:
        raise ValueError("a depth map without any measured pixel")
    coarse = _halved(level)
    values = level.inverse_depth.copy()
    coarse_values = _filled(coarse, coarse.weight / (coarse.weight + np.float32(FIRM)))
    values[holes] = _start(level.guide, coarse.guide, coarse_values, holes)
    return _relaxed(values, hold, level.guide)


def _halved(level: _Level) -> _Level:
    """The next coarser level: means over 2 x 2 pixels, of depth only over those that are measured."""
    weight = _sum_of_four(level.weight)
    inverse_depth = _sum_of_four(level.weight * level.inverse_depth) / np.where(weight > 0, weight, 1)
    count = _sum_of_four(np.ones_like(level.weight))
    guide = np.stack([_sum_of_four(channel) / count for channel in level.guide])
    return _Level(inverse_depth, weight / count, guide)


def _sum_of_four(array: Float) -> Float:
    """Sums over 2 x 2 pixels: (h, w) to (ceil(h / 2), ceil(w / 2)); what is missing at the border counts as 0."""
    height, width = array.shape
    if height % 2 or width % 2:
        array = np.pad(array, ((0, height % 2), (0, width % 2)))
    rows = array[0::2] + array[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])


def _start(guide: Float, coarse_guide: Float, coarse: Float, holes: NDArray[np.bool_]) -> Float:
    """Values for the holes (n,) from the 4 nearest pixels of the coarser level, weighted by distance and colour."""
    rows, columns = np.nonzero(holes)
    own = guide[:, rows, columns]
    near_rows, near_columns = rows // 2, columns // 2
    far_rows = (near_rows + np.where(rows % 2, 1, -1)).clip(0, coarse.shape[0] - 1)
    far_columns = (near_columns + np.where(columns % 2, 1, -1)).clip(0, coarse.shape[1] - 1)
    total = np.zeros(len(rows), np.float32)
    weights = np.zeros(len(rows), np.float32)
    for from_rows, row_share in ((near_rows, 0.75), (far_rows, 0.25)):
        for from_columns, column_share in ((near_columns, 0.75), (far_columns, 0.25)):
            index = from_rows * coarse.shape[1] + from_columns
            difference = sum(
                np.abs(channel.ravel()[index] - value) for channel, value in zip(coarse_guide, own, strict=True)
            )
            weight = np.float32(row_share * column_share) * _likeness(np.asarray(difference))
            total += weight * coarse.ravel()[index]
            weights += weight
    return total / weights


def _likeness(difference: Float) -> Float:
    """Weight of a neighbour whose guide differs by `difference`, summed over the channels."""
    return np.asarray(np.exp(difference * np.float32(-1 / COLOR_SCALE)) + np.float32(LEAST_WEIGHT))


def _relaxed(values: Float, hold: Float, guide: Float) -> Float:
    """Every pixel moved, RELAXATIONS times, to the colour-weighted mean of its 4 neighbours, as far as it is not held.

    x <- hold x0 + (1 - hold) sum_n w_n x_n (Jacobi), x0 the given values, w_n the neighbours' weights, sum 1.
    """
    height, width = values.shape
    down = _likeness(np.abs(np.diff(guide, axis=1)).sum(axis=0))
    right = _likeness(np.abs(np.diff(guide, axis=2)).sum(axis=0))
    total = np.zeros((height, width), np.float32)
    total[1:] += down
    total[:-1] += down
    total[:, 1:] += right
    total[:, :-1] += right
    free = (1 - hold) / total
    above, below, before, behind = np.zeros((4, height, width), np.float32)
    above[1:], below[:-1] = down * free[1:], down * free[:-1]
    before[:, 1:], behind[:, :-1] = right * free[:, 1:], right * free[:, :-1]
    padded = np.zeros((height + 2, width + 2), np.float32)  # so that each neighbour is one slice away
    inner = padded[1:-1, 1:-1]
    inner[...] = values
    held, mean, part = values * hold, np.empty_like(values), np.empty_like(values)
    neighbours = (
        (padded[:-2, 1:-1], above),
        (padded[2:, 1:-1], below),
        (padded[1:-1, :-2], before),
        (padded[1:-1, 2:], behind),
    )
    for _ in range(RELAXATIONS):
        np.copyto(mean, held)
        for neighbour, weight in neighbours:
            np.multiply(neighbour, weight, out=part)
            np.add(mean, part, out=mean)
        inner[...] = mean
    return inner.copy()
