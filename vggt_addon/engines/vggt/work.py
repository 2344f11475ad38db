"""How much VGGT has to do for a number of photos: operations in all, and step by step in the order of `on_step`.

This module imports nothing beyond the standard library; its neighbour imports torch.
"""

import math
from collections.abc import Collection, Iterator

from ..layers.chunks import Chunks
from ..layers.work import Work
from .config import VggtConfig
from .dense_head import LAST_CHANNELS

POSE = 9


def _block(tokens: int, sequence: int, width: int) -> Work:
    """A transformer block for `tokens` tokens, each looking at `sequence` of them; its MLP is four times as wide."""
    return Work(linear=24.0 * tokens * width**2, attention=4.0 * tokens * sequence * width)


def _encoder_block(config: VggtConfig, grid: tuple[int, int]) -> Work:
    tokens = 1 + config.encoder.registers + grid[0] * grid[1]
    return _block(tokens, tokens, config.encoder.width)


def _patch_embedding(config: VggtConfig, grid: tuple[int, int]) -> Work:
    return Work(convolution=2.0 * grid[0] * grid[1] * config.encoder.width * 3 * config.patch**2)


def _camera_round(config: VggtConfig, frames: int) -> Work:
    width, hidden = config.output_width, config.camera_head.hidden
    small = 2.0 * frames * (POSE * width + 3 * width**2 + width * hidden + hidden * POSE)
    return Work(linear=small) + _block(frames, frames, width) * config.camera_head.blocks


def _projection(config: VggtConfig, grid: tuple[int, int], output: int) -> Work:
    channels = config.dense_head.projections[output]
    return Work(linear=2.0 * grid[0] * grid[1] * config.output_width * channels)


def _fusion(config: VggtConfig, grid: tuple[int, int]) -> Work:
    """All of a dense head for one photo between its projections and the convolutions that are done in bands."""
    features = config.dense_head.features
    fine, middle, coarse, coarsest = config.dense_head.projections
    patches = grid[0] * grid[1]
    sizes = (16 * patches, 4 * patches, patches, math.ceil(grid[0] / 2) * math.ceil(grid[1] / 2))
    operations = 2.0 * (patches * (fine**2 * 16 + middle**2 * 4) + sizes[3] * coarsest**2 * 9)
    for size, channels in zip(sizes, (fine, middle, coarse, coarsest), strict=True):
        operations += 2.0 * size * channels * features * 9
    for size, units in zip(sizes, (2, 2, 2, 1), strict=True):
        operations += units * 2 * 2.0 * size * features**2 * 9
    operations += sum(2.0 * size * features**2 for size in sizes[:3])  # out_conv after resizing, but the last stage's
    return Work(convolution=operations)


def _bands(config: VggtConfig, grid: tuple[int, int], outputs: int) -> tuple[Work, Work]:
    """The two convolutions at the picture's resolution, with what is done beside them, for one photo."""
    features, half = config.dense_head.features, config.dense_head.features // 2
    doubled, pixels = 64 * grid[0] * grid[1], config.patch**2 * grid[0] * grid[1]
    first = 2.0 * doubled * (features**2 + features * half * 9)
    second = 2.0 * pixels * (half * LAST_CHANNELS * 9 + LAST_CHANNELS * outputs)
    return Work(convolution=first), Work(convolution=second)


def steps(
    config: VggtConfig, frames: int, size: tuple[int, int], chunks: Chunks, heads: Collection[str]
) -> Iterator[Work]:
    """The work before each call of `on_step`, in order, for one scene of `frames` photos of `size` (H, W) pixels.

    `heads` are those that were built, without the track head, whose work depends on the query points.
    """
    grid = (size[0] // config.patch, size[1] // config.patch)
    tokens = config.special_tokens + grid[0] * grid[1]
    groups = [min(chunks.frames, frames - start) for start in range(0, frames, chunks.frames)]
    outputs_of = {"depth": 2, "point": 4}
    dense = [head for head in ("depth", "point") if head in heads]

    pending = Work()  # of what comes after a step and before the next
    for group in groups:
        pending += _patch_embedding(config, grid) * group
        for _ in range(config.encoder.blocks):
            yield pending + _encoder_block(config, grid) * group
            pending = Work()
    width = config.alternating.width
    for pair in range(config.alternating.pairs):
        for group in groups:
            yield pending + _block(tokens, tokens, width) * group
            pending = Work()
        yield _block(frames * tokens, frames * tokens, width)
        if pair in config.outputs:
            pending = _projection(config, grid, config.outputs.index(pair)) * (frames * len(dense))
    if "camera" in heads:
        for _ in range(config.camera_head.iterations):
            yield pending + _camera_round(config, frames)
            pending = Work()
    for head in dense:
        first, second = _bands(config, grid, outputs_of[head])
        bands = (math.ceil(8 * grid[0] / chunks.rows), math.ceil(size[0] / chunks.rows))
        for group in groups:
            pending += _fusion(config, grid) * group
            for work, count in zip((first, second), bands, strict=True):
                for _ in range(count):
                    yield pending + work * (group / count)
                    pending = Work()


def whole(config: VggtConfig, frames: int, size: tuple[int, int], heads: Collection[str]) -> Work:
    """All of it. For camera and depth at 518 x 392: 2.33 N + 0.107 N² million million operations for N photos."""
    total = Work()
    for work in steps(config, frames, size, Chunks(), heads):
        total += work
    return total
