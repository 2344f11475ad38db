"""Alternating attention (VGGT, section 3.2): within each frame, then over all frames, pair after pair.

This module imports torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..layers.blocks import Block
from ..layers.chunks import DEFAULT_CHUNKS, Chunks, OnStep, no_step
from ..layers.rotary import rotary_table
from .config import VggtConfig
from .encoder import Encoder


@dataclass(frozen=True)
class BlockPairOutput:
    """Output of one pair of blocks: P tokens a frame, the camera's first, then the registers, then the patches.

    Both tensors are the network's working memory: read them before asking for the next output.
    """

    index: int  # of the pair, from 0
    within_frames: Tensor  # (B·S, P, width), after the frame block
    over_frames: Tensor  # (B·S, P, width), after the global block

    def tokens(self, frames: slice = slice(None), first: int = 0, last: int | None = None) -> Tensor:
        """Both side by side, tokens first..last of these frames: (frames, tokens, 2 · width)."""
        return torch.cat([self.within_frames[frames, first:last], self.over_frames[frames, first:last]], dim=-1)


class Aggregator(nn.Module):
    """Photos to tokens that know of each other."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.alternating
        self.patch_embed = Encoder(config.encoder, config.patch)
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, sizes.width))
        self.register_token = nn.Parameter(torch.empty(1, 2, sizes.registers, sizes.width))
        self.frame_blocks = self._blocks()
        self.global_blocks = self._blocks()

    def _blocks(self) -> nn.ModuleList:
        sizes = self.config.alternating
        return nn.ModuleList(
            Block(sizes.width, sizes.heads, norm_eps=1e-5, layer_scale=True, query_key_norm=True)
            for _ in range(sizes.pairs)
        )

    def forward(
        self, images: Tensor, chunks: Chunks = DEFAULT_CHUNKS, on_step: OnStep = no_step
    ) -> Iterator[BlockPairOutput]:
        """images (B, S, 3, H, W), uint8 or 0..1; yields the outputs that `config.outputs` names, in order.

        H and W are multiples of the patch. Run it under `torch.inference_mode`.
        """
        scenes, frames = images.shape[:2]
        grid = (images.shape[-2] // self.config.patch, images.shape[-1] // self.config.patch)
        tokens = self._special_tokens(scenes, frames, grid)  # (B·S, P, C)
        special = self.config.special_tokens
        self.patch_embed(images.flatten(0, 1), tokens[:, special:], chunks, on_step)

        head_dim = self.config.alternating.width // self.config.alternating.heads
        rotary = rotary_table(*grid, head_dim, first_position=1, special_tokens=special, like=tokens)
        sequence = tokens.view(scenes, frames * tokens.shape[1], -1)  # (B, S·P, C), the same memory
        for index, (frame_block, global_block) in enumerate(zip(self.frame_blocks, self.global_blocks, strict=True)):
            for start in range(0, len(tokens), chunks.frames):
                frame_block(tokens[start : start + chunks.frames], rotary, chunks.tokens)
                on_step()
            within_frames = tokens.clone() if index in self.config.outputs else None
            global_block(sequence, rotary, chunks.tokens)
            on_step()
            if within_frames is not None:
                yield BlockPairOutput(index, within_frames, tokens)
                del within_frames

    def _special_tokens(self, scenes: int, frames: int, grid: tuple[int, int]) -> Tensor:
        """The stream (B·S, P, C) with camera and register tokens set; the patches are the encoder's to fill.

        Slot 0 marks the first frame of a scene, slot 1 every other: nothing else tells frames apart.
        """
        special = torch.cat([self.camera_token, self.register_token], dim=2)[0]  # (2, 1 + registers, C)
        slot = torch.ones(frames, dtype=torch.int64, device=special.device)
        slot[:1] = 0
        count = special.shape[1] + grid[0] * grid[1]
        tokens = torch.empty(scenes, frames, count, special.shape[-1], dtype=special.dtype, device=special.device)
        tokens[:, :, : special.shape[1]] = special[slot]
        return tokens.flatten(0, 1)
