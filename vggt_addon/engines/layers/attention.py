"""Multi-head attention (Vaswani et al. 2017, section 3.2) with queries apart from keys and values.

This module imports torch.

Keys and values are made for the whole sequence; queries may come a piece at a time, because each query's result
depends on no other query. Scores are never stored: torch's fused attention streams over the keys.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .precision import LayerNorm, Linear
from .rotary import RotaryTable


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(q kᵀ / sqrt(head_dim)) v. All (batch, tokens, heads, head_dim) -> (batch, queries, heads · head_dim)."""
    attended = functional.scaled_dot_product_attention(
        queries.to(values.dtype).transpose(1, 2), keys.to(values.dtype).transpose(1, 2), values.transpose(1, 2)
    )
    return attended.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Attention of a sequence over itself, with one packed projection [q | k | v], each head-major."""

    def __init__(self, width: int, heads: int, query_key_norm: bool = False) -> None:
        super().__init__()
        self.width = width
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)
        self.q_norm = LayerNorm(width // heads, eps=1e-5) if query_key_norm else nn.Identity()
        self.k_norm = LayerNorm(width // heads, eps=1e-5) if query_key_norm else nn.Identity()

    def keys_values(self, tokens: Tensor, rotary: RotaryTable | None) -> tuple[Tensor, Tensor]:
        """Normed tokens (batch, T, width) -> keys and values, (batch, T, heads, head_dim) each, of values' dtype."""
        projected = self.qkv.part(tokens, self.width, 3 * self.width).unflatten(-1, (2, self.heads, -1))
        keys, values = projected.unbind(2)  # (batch, T, heads, head_dim) each
        keys = self.k_norm(keys)
        return (rotary.rotate(keys) if rotary else keys).to(values.dtype), values

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor, rotary: RotaryTable | None) -> Tensor:
        """Normed tokens that ask, (batch, T, width), and what they look at -> (batch, T, width)."""
        queries = self.q_norm(self.qkv.part(tokens, 0, self.width).unflatten(-1, (self.heads, -1)))
        if rotary:
            queries = rotary.rotate(queries)
        attended: Tensor = self.proj(attend(queries, keys, values))
        return attended


class CrossAttention(nn.Module):
    """Attention of one sequence over another, with separate projections (DUSt3R's decoder)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = Linear(width, width)
        self.projk = Linear(width, width)
        self.projv = Linear(width, width)
        self.proj = Linear(width, width)

    def keys_values(self, memory: Tensor, rotary: RotaryTable) -> tuple[Tensor, Tensor]:
        """Normed memory (batch, M, width), and its own positions -> keys, values (batch, M, heads, head_dim)."""
        keys = rotary.rotate(self.projk(memory).unflatten(-1, (self.heads, -1)))
        values: Tensor = self.projv(memory).unflatten(-1, (self.heads, -1))
        return keys.to(values.dtype), values

    def forward(self, tokens: Tensor, keys: Tensor, values: Tensor, rotary: RotaryTable) -> Tensor:
        """Normed tokens (batch, T, width), and their own positions -> (batch, T, width)."""
        queries = rotary.rotate(self.projq(tokens).unflatten(-1, (self.heads, -1)))
        attended: Tensor = self.proj(attend(queries, keys, values))
        return attended


class PackedAttention(nn.Module):
    """Attention with torch's packed parameter names (`in_proj_weight`, `out_proj`): VGGT's tracker."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = Linear(width, width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """(batch, T, width) asks (batch, M, width) -> (batch, T, width)."""
        width = self.width
        queries = functional.linear(tokens, self.in_proj_weight[:width], self.in_proj_bias[:width])
        projected = functional.linear(context, self.in_proj_weight[width:], self.in_proj_bias[width:])
        keys, values = projected.unflatten(-1, (2, self.heads, -1)).unbind(2)
        attended: Tensor = self.out_proj(attend(queries.unflatten(-1, (self.heads, -1)), keys, values))
        return attended
