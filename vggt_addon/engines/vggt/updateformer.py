"""The tracker's transformer (CoTracker, Karaev et al. 2024, section 3): over time, and over tracks by way of a few
virtual ones.

This module imports torch.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ..layers.attention import PackedAttention
from ..layers.blocks import Mlp
from ..layers.precision import LayerNorm, Linear

NORM_EPS = 1e-5


class TimeOrSpaceBlock(nn.Module):
    """Self-attention and MLP. Its first norm acts on the residual stream itself: the skip carries normed values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width, eps=NORM_EPS)
        self.attn = PackedAttention(width, heads)
        self.norm2 = LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, T, width) -> the same shape."""
        tokens = cast(Tensor, self.norm1(tokens))
        tokens += self.attn(tokens, tokens)
        tokens += self.mlp(self.norm2(tokens))
        return tokens


class CrossBlock(nn.Module):
    """The same with attention over another sequence, which has a norm of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width, eps=NORM_EPS)
        self.norm_context = LayerNorm(width, eps=NORM_EPS)
        self.cross_attn = PackedAttention(width, heads)
        self.norm2 = LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """(batch, T, width), (batch, M, width) -> the first one's shape."""
        tokens = cast(Tensor, self.norm1(tokens))
        tokens += self.cross_attn(tokens, self.norm_context(context))
        tokens += self.mlp(self.norm2(tokens))
        return tokens


class Updateformer(nn.Module):
    """Track tokens to one change of position and feature for each track and frame."""

    def __init__(self, inputs: int, width: int, heads: int, blocks: int, virtual_tracks: int, outputs: int) -> None:
        super().__init__()
        self.input_norm = LayerNorm(inputs, eps=NORM_EPS)
        self.input_transform = Linear(inputs, width)
        self.virual_tracks = nn.Parameter(torch.empty(1, virtual_tracks, 1, width))  # the checkpoint spells it so
        self.time_blocks = nn.ModuleList(TimeOrSpaceBlock(width, heads) for _ in range(blocks))
        self.space_virtual2point_blocks = nn.ModuleList(CrossBlock(width, heads) for _ in range(blocks))
        self.space_virtual_blocks = nn.ModuleList(TimeOrSpaceBlock(width, heads) for _ in range(blocks))
        self.space_point2virtual_blocks = nn.ModuleList(CrossBlock(width, heads) for _ in range(blocks))
        self.output_norm = LayerNorm(width, eps=NORM_EPS)
        self.flow_head = Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, N, S, inputs) -> (B, N, S, outputs): N tracks in S frames."""
        scenes, tracks, frames = inputs.shape[:3]
        first = self.input_transform(self.input_norm(inputs))  # (B, N, S, width)
        virtual = self.virual_tracks.expand(scenes, -1, frames, -1)
        tokens = torch.cat([first, virtual], dim=1)  # (B, N + virtual, S, width)
        stages = zip(
            self.time_blocks,
            self.space_virtual2point_blocks,
            self.space_virtual_blocks,
            self.space_point2virtual_blocks,
            strict=True,
        )
        for over_time, gather, among_virtual, spread in stages:
            tokens = over_time(tokens.flatten(0, 1)).unflatten(0, (scenes, -1))
            by_frame = tokens.transpose(1, 2).flatten(0, 1)  # (B·S, N + virtual, width)
            points, virtual = by_frame[:, :tracks], by_frame[:, tracks:]
            virtual = among_virtual(gather(virtual, points))
            points = spread(points, virtual)
            tokens = torch.cat([points, virtual], dim=1).unflatten(0, (scenes, frames)).transpose(1, 2)
        change: Tensor = self.flow_head(self.output_norm(tokens[:, :tracks] + first))
        return change
