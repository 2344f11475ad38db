"""How much DUSt3R has to do for a photo and for a directed pair, and how many steps `on_step` counts in a pair.

This module imports nothing beyond the standard library; its neighbour imports torch.
"""

import math

from ..layers.chunks import Chunks
from ..layers.work import Work
from .config import Dust3rConfig
from .dense_head import HEAD_CHANNELS, OUTPUTS


def encoding(config: Dust3rConfig, size: tuple[int, int]) -> Work:
    """One photo whose input is `size` (H, W)."""
    tokens, width = _tokens(config, size), config.encoder.width
    block = Work(linear=24.0 * tokens * width**2, attention=4.0 * tokens**2 * width)
    return block * config.encoder.blocks + Work(convolution=2.0 * tokens * width * 3 * config.patch**2)


def decoding(config: Dust3rConfig, first: tuple[int, int], second: tuple[int, int]) -> Work:
    """One directed pair, from two encoded photos to two maps."""
    total = Work()
    width = config.decoder.width
    for own, other in ((first, second), (second, first)):
        tokens, memory = _tokens(config, own), _tokens(config, other)
        # Self: q, k, v, out; cross: q and out of its own, k and v of the other; MLP four times as wide.
        linear = (8.0 * tokens + 4.0 * tokens + 4.0 * memory + 16.0 * tokens) * width**2
        attention = 4.0 * width * (tokens**2 + tokens * memory)
        total += Work(linear, attention) * config.decoder.blocks
        total += Work(linear=2.0 * tokens * config.encoder.width * width)
        total += _head(config, own)
    return total


def _head(config: Dust3rConfig, size: tuple[int, int]) -> Work:
    """One dense head for one photo."""
    features = config.dense_head.features
    fine, middle, coarse, coarsest = config.dense_head.projections
    grid = (size[0] // config.patch, size[1] // config.patch)
    patches = grid[0] * grid[1]
    sizes = (16 * patches, 4 * patches, patches, math.ceil(grid[0] / 2) * math.ceil(grid[1] / 2))
    projected = 2.0 * patches * (config.encoder.width * fine + config.decoder.width * (middle + coarse + coarsest))
    operations = 2.0 * (patches * (fine**2 * 16 + middle**2 * 4) + sizes[3] * coarsest**2 * 9)
    for pixels, channels in zip(sizes, (fine, middle, coarse, coarsest), strict=True):
        operations += 2.0 * pixels * channels * features * 9
    for pixels, units in zip(sizes, (2, 2, 2, 1), strict=True):
        operations += units * 2 * 2.0 * pixels * features**2 * 9
    operations += sum(2.0 * pixels * features**2 for pixels in sizes[:3])  # out_conv after doubling
    halved, whole = 64 * patches, 256 * patches
    operations += 2.0 * halved * (features**2 + features * HEAD_CHANNELS * 9)
    operations += 2.0 * whole * (HEAD_CHANNELS**2 * 9 + HEAD_CHANNELS * OUTPUTS)
    return Work(linear=projected, convolution=operations)


def steps_of_pair(config: Dust3rConfig, first: tuple[int, int], second: tuple[int, int], chunks: Chunks) -> int:
    """How often `on_step` is called while one pair is decoded."""
    bands = sum(math.ceil(size[0] / 2 / chunks.rows) + math.ceil(size[0] / chunks.rows) for size in (first, second))
    return 2 * config.decoder.blocks + bands


def _tokens(config: Dust3rConfig, size: tuple[int, int]) -> int:
    return (size[0] // config.patch) * (size[1] // config.patch)
