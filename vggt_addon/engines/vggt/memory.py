"""How much memory a forward pass of VGGT takes above its weights.

This module imports nothing beyond the standard library; its neighbour imports torch.

Three moments can be the peak: the last global block, when the stream, its copy from the frame block, all keys and
values and what the heads have taken so far are there beside one piece's way through the MLP; the dense heads, when what
they have taken is there beside one group's maps; and in these the convolution with the most weights, since on the
processor oneDNN lays them anew for each call and holds two copies on the way. The factors count the tensors that are
alive then; what allocators and libraries add is in SMALL. tests/engines/vggt/test_plan.py holds it against
measurements.
"""

from collections.abc import Collection

from ..layers.chunks import Chunks
from .config import VggtConfig

SMALL = 12_000_000  # bytes: tensors of a few tokens, scratch space of the libraries


def parameters_memory(parameters: int, block_parameters: int, bytes_per_value: int) -> int:
    """Bytes of weights whose blocks' matrices take `bytes_per_value` each, all else four."""
    return (parameters - block_parameters) * 4 + block_parameters * bytes_per_value


def peak_memory(
    config: VggtConfig,
    frames: int,
    size: tuple[int, int],
    chunks: Chunks,
    heads: Collection[str],
    bytes_per_value: int,
) -> int:
    """Bytes above weights and pictures for one scene of `frames` photos of `size` (H, W) pixels.

    `bytes_per_value` is that of the blocks' matrices: 4 in float32, 2 in half precision. Without the track head.
    """
    grid = (size[0] // config.patch, size[1] // config.patch)
    patches = grid[0] * grid[1]
    tokens = config.special_tokens + patches
    dense = [outputs for head, outputs in (("depth", 2), ("point", 4)) if head in heads]
    projections = config.dense_head.projections

    stream = frames * tokens * config.alternating.width
    piece = min(chunks.tokens, frames * tokens) * config.alternating.width
    # In one piece, the norm of it and the projection that values are a view of outlive keys and values.
    kept = stream * (4 + bytes_per_value) if frames * tokens <= chunks.tokens else 0
    taken = 4 * frames * patches * sum(projections[:-1]) * len(dense)
    # Its norm, what it gathered, and the MLP before and after GELU.
    through = piece * (4 + (1 + 4 + 4) * bytes_per_value)
    blocks = stream * (4 + 4 + 2 * bytes_per_value) + kept + taken + through

    if not dense:
        return blocks + SMALL
    features = config.dense_head.features
    group = min(chunks.frames, frames)
    taken = 4 * frames * patches * sum(projections) * len(dense)
    pixels = patches * config.patch**2
    refining = 4 * group * patches * 4 * 16 * features  # the finest map, and three on its way through a unit
    band = 4 * group * (chunks.rows + 2) * config.patch * grid[1] * features
    doubling = 4 * group * patches * (16 * features + 64 * (features // 2)) + band
    answers = 4 * frames * pixels * sum(dense)
    copies = 2 * 4 * 9 * projections[-1] ** 2
    return max(blocks, taken + answers + max(refining, doubling, copies)) + SMALL
