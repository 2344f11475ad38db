"""VGGT's image encoder: DINOv2 ViT-L/14 with registers (Oquab et al. 2024; Darcet et al. 2024, section 2.2).

This module imports torch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers.blocks import Block
from ..layers.chunks import Chunks, OnStep
from ..layers.patches import PatchEmbedding
from ..layers.precision import LayerNorm
from .config import EncoderConfig

MEAN = (0.485, 0.456, 0.406)  # of the pictures that the encoder was trained on, per channel, for values 0..1
SPREAD = (0.229, 0.224, 0.225)


class Encoder(nn.Module):
    """Pictures to patch tokens, each frame on its own."""

    def __init__(self, config: EncoderConfig, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.table_side = config.position_table
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.register_tokens = nn.Parameter(torch.empty(1, config.registers, config.width))
        self.mask_token = nn.Parameter(torch.empty(1, config.width))  # of the training; never read here
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + config.position_table**2, config.width))
        self.patch_embed = PatchEmbedding(patch, config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, norm_eps=1e-6, layer_scale=True) for _ in range(config.blocks)
        )
        self.norm = LayerNorm(config.width, eps=1e-6)

    def forward(self, pictures: Tensor, tokens: Tensor, chunks: Chunks, on_step: OnStep) -> None:
        """pictures (frames, 3, H, W), uint8 or 0..1 -> into `tokens` (frames, patches, width), a view of the stream."""
        grid = (pictures.shape[-2] // self.patch, pictures.shape[-1] // self.patch)
        positions = self._positions(*grid)
        for start in range(0, len(pictures), chunks.frames):
            group = slice(start, start + chunks.frames)
            encoded = self._prepend(self.patch_embed(self._normalised(pictures[group])), positions)
            for block in self.blocks:
                block(encoded, None, chunks.tokens)
                on_step()
            tokens[group] = self.norm(encoded[:, -grid[0] * grid[1] :])  # class and register tokens end here

    def _normalised(self, pictures: Tensor) -> Tensor:
        values = pictures.to(self.pos_embed.dtype, copy=True)
        if pictures.dtype == torch.uint8:
            values.div_(255)
        for channel, (mean, spread) in enumerate(zip(MEAN, SPREAD, strict=True)):
            values[:, channel].sub_(mean).div_(spread)
        return values

    def _prepend(self, patches: Tensor, positions: Tensor) -> Tensor:
        """(frames, patches, width) -> (frames, 1 + registers + patches, width): registers have no position."""
        frames = len(patches)
        first = (self.cls_token + positions[:, :1]).expand(frames, -1, -1)
        return torch.cat([first, self.register_tokens.expand(frames, -1, -1), patches + positions[:, 1:]], dim=1)

    def _positions(self, height: int, width: int) -> Tensor:
        """The table of positions at this grid: (1, 1 + height · width, channels); exact at its trained size."""
        side = self.table_side
        if (height, width) == (side, side):
            return self.pos_embed
        table = self.pos_embed[:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
        # Channels last, as it lies: in another order torch 2.13 resizes wrongly to a single column, on the CPU.
        resized = functional.interpolate(
            table, size=(height, width), mode="bicubic", align_corners=False, antialias=True
        )
        grid = resized.flatten(2).transpose(1, 2).to(self.pos_embed.dtype)
        return torch.cat([self.pos_embed[:, :1], grid], dim=1)
