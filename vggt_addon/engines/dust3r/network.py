"""DUSt3R whole: two photos to two point maps in one frame (Wang et al. 2024, figure 2).

This module imports torch.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ..layers.blocks import Block, DecoderBlock
from ..layers.chunks import DEFAULT_CHUNKS, Chunks, OnStep, no_step
from ..layers.patches import PatchEmbedding
from ..layers.precision import LayerNorm, Linear, halve_linear_weights
from ..layers.rotary import RotaryTable, rotary_table
from .config import FULL, Dust3rConfig
from .dense_head import PointHead
from .output import EncodedPhotos, PairOutput

NORM_EPS = 1e-6


class DUSt3R(nn.Module):
    """Parameter names, shapes and dtypes are those of the published checkpoints. Inference only.

    A photo is encoded once (`encode`), a directed pair is one `decode` of two encoded photos; `forward` does both.
    Make it under `torch.device("meta")` and assign the weights: nothing here initialises a parameter.
    """

    def __init__(self, config: Dust3rConfig = FULL) -> None:
        super().__init__()
        self.config = config
        encoder, decoder = config.encoder, config.decoder
        self.patch_embed = PatchEmbedding(config.patch, encoder.width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, decoder.width))  # of the training; never read here
        self.enc_blocks = nn.ModuleList(
            Block(encoder.width, encoder.heads, norm_eps=NORM_EPS, layer_scale=False) for _ in range(encoder.blocks)
        )
        self.enc_norm = LayerNorm(encoder.width, eps=NORM_EPS)
        self.decoder_embed = Linear(encoder.width, decoder.width)
        self.dec_blocks = self._decoder_blocks()
        self.dec_blocks2 = self._decoder_blocks()
        self.dec_norm = LayerNorm(decoder.width, eps=NORM_EPS)
        self.downstream_head1 = PointHead(config)
        self.downstream_head2 = PointHead(config)

    def _decoder_blocks(self) -> nn.ModuleList:
        sizes = self.config.decoder
        return nn.ModuleList(DecoderBlock(sizes.width, sizes.heads, norm_eps=NORM_EPS) for _ in range(sizes.blocks))

    def halve_blocks(self, half: torch.dtype) -> "DUSt3R":
        """Encoder and decoder multiply in `half` (bfloat16 or float16); stream, norms and heads stay float32."""
        for part in (self.patch_embed, self.enc_blocks, self.decoder_embed, self.dec_blocks, self.dec_blocks2):
            halve_linear_weights(part, half)
        return self

    def forward(
        self, first: Tensor, second: Tensor, chunks: Chunks = DEFAULT_CHUNKS, on_step: OnStep = no_step
    ) -> PairOutput:
        """Two batches of photos (B, 3, H, W), RGB, uint8 or 0..1, of any two sizes -> B directed pairs.

        Raises ValueError where a side is not a positive multiple of the patch.
        """
        return self.decode(self.encode(first, chunks, on_step), self.encode(second, chunks, on_step), chunks, on_step)

    @torch.inference_mode()
    def encode(self, photos: Tensor, chunks: Chunks = DEFAULT_CHUNKS, on_step: OnStep = no_step) -> EncodedPhotos:
        """(B, 3, H, W) -> tokens of each photo, `chunks.frames` photos at a time. Raises ValueError as `forward`."""
        grid = self._grid(photos)
        rotary = self._rotary(grid, self.config.encoder.width // self.config.encoder.heads)
        weight = self.enc_norm.weight
        tokens = torch.empty(
            len(photos), grid[0] * grid[1], self.config.encoder.width, dtype=weight.dtype, device=weight.device
        )
        for start in range(0, len(photos), chunks.frames):
            group = slice(start, start + chunks.frames)
            tokens[group] = self.patch_embed(self._normalised(photos[group]))
            for block in self.enc_blocks:
                block(tokens[group], rotary, chunks.tokens)
                on_step()
            tokens[group] = self.enc_norm(tokens[group])
        return EncodedPhotos(tokens, grid)

    @torch.inference_mode()
    def decode(
        self,
        first: EncodedPhotos,
        second: EncodedPhotos,
        chunks: Chunks = DEFAULT_CHUNKS,
        on_step: OnStep = no_step,
    ) -> PairOutput:
        """Photo by photo of two equally long batches: each a directed pair, in the first one's frame.

        Raises ValueError where the batches are not equally long.
        """
        if len(first.tokens) != len(second.tokens):
            raise ValueError(f"{len(first.tokens)} first photos cannot be paired with {len(second.tokens)} second ones")
        sides = (first, second)
        heads = (self.downstream_head1, self.downstream_head2)
        head_dim = self.config.decoder.width // self.config.decoder.heads
        rotary = [self._rotary(side.grid, head_dim) for side in sides]
        projected = [[head.dpt.project(0, side.tokens)] for head, side in zip(heads, sides, strict=True)]
        states: list[Tensor] = [
            self.decoder_embed(side.tokens).to(side.tokens.dtype) for side in sides
        ]  # (B, T, width)
        blocks = zip(self.dec_blocks, self.dec_blocks2, strict=True)
        for step, pair in enumerate(cast("zip[tuple[DecoderBlock, DecoderBlock]]", blocks), start=1):
            # Both sides look at the other's state before this step.
            memories = [pair[side].read(states[1 - side], rotary[1 - side]) for side in (0, 1)]
            for side in (0, 1):
                pair[side](states[side], rotary[side], memories[side], chunks.tokens)
                on_step()
                if step in self.config.steps_read:
                    last = step == self.config.decoder.blocks
                    state = self.dec_norm(states[side]) if last else states[side]
                    projected[side].append(heads[side].dpt.project(len(projected[side]), state))
        maps = [heads[side](projected[side], sides[side].grid, chunks, on_step) for side in (0, 1)]
        return PairOutput(*maps)

    def _grid(self, photos: Tensor) -> tuple[int, int]:
        patch = self.config.patch
        height, width = photos.shape[-2:] if photos.ndim == 4 and photos.shape[1] == 3 else (0, 0)
        if height % patch or width % patch or not photos.numel() * height * width:
            raise ValueError(f"photos must be (B, 3, H, W), H and W multiples of {patch}; got {tuple(photos.shape)}")
        return height // patch, width // patch

    def _rotary(self, grid: tuple[int, int], head_dim: int) -> RotaryTable:
        return rotary_table(*grid, head_dim, first_position=0, like=self.enc_norm.weight)

    def _normalised(self, photos: Tensor) -> Tensor:
        values = photos.to(self.enc_norm.weight.dtype)
        if photos.dtype == torch.uint8:
            values = values / 255
        return (values - 0.5) / 0.5
