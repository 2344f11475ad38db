"""The pre-norm transformer block (Dosovitskiy et al. 2021, equations 2 and 3), a piece of the sequence at a time.

This module imports torch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import SelfAttention
from .precision import LayerNorm, Linear
from .rotary import RotaryTable


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them: (..., inputs) -> (..., outputs)."""

    def __init__(self, inputs: int, hidden: int, outputs: int | None = None) -> None:
        super().__init__()
        self.fc1 = Linear(inputs, hidden)
        self.fc2 = Linear(hidden, outputs or inputs)

    def forward(self, tokens: Tensor) -> Tensor:
        mapped: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return mapped


class LayerScale(nn.Module):
    """A learned factor for each channel of a residual branch (Touvron et al. 2021, equation 7)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, branch: Tensor) -> Tensor:
        return branch * self.gamma


class Block(nn.Module):
    """x += ls1(attention(norm1(x))); x += ls2(mlp(norm2(x))).

    `layer_scale` is on in VGGT and off in DUSt3R. `norm_eps` is 1e-6 in both image encoders, 1e-5 in VGGT's
    alternating attention and camera head. `query_key_norm` (Dehghani et al. 2023) is on in alternating attention only.
    """

    def __init__(
        self, width: int, heads: int, *, norm_eps: float, layer_scale: bool, query_key_norm: bool = False
    ) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width, eps=norm_eps)
        self.attn = SelfAttention(width, heads, query_key_norm)
        self.ls1 = LayerScale(width) if layer_scale else nn.Identity()
        self.norm2 = LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, 4 * width)
        self.ls2 = LayerScale(width) if layer_scale else nn.Identity()

    def forward(self, tokens: Tensor, rotary: RotaryTable | None, chunk: int) -> None:
        """Change `tokens` (batch, T, width) in place, `chunk` tokens of each sequence at a time.

        After the keys and values of the whole sequence are there, each token's way through the block depends on no
        other token, so the pieces may be done one after the other, in place.
        """
        length = tokens.shape[1]
        pieces = [slice(start, min(start + chunk, length)) for start in range(0, length, chunk)]
        if len(pieces) == 1:
            normed = self.norm1(tokens)
            span = rotary.span(0, length) if rotary else None
            self._advance(tokens, normed, self.attn.keys_values(normed, span), span)
            return
        memory = self._keys_values(tokens, rotary, pieces)
        for piece in pieces:
            part = tokens[:, piece]
            span = rotary.span(piece.start, piece.stop) if rotary else None
            self._advance(part, self.norm1(part), memory, span)

    def _keys_values(self, tokens: Tensor, rotary: RotaryTable | None, pieces: list[slice]) -> tuple[Tensor, Tensor]:
        """Keys and values of the whole sequence, (batch, T, heads, head_dim) each, without a second copy of it."""
        attention = self.attn
        shape = (*tokens.shape[:2], attention.heads, attention.width // attention.heads)
        keys = torch.empty(shape, dtype=attention.qkv.weight.dtype, device=tokens.device)
        values = torch.empty_like(keys)
        for piece in pieces:
            span = rotary.span(piece.start, piece.stop) if rotary else None
            keys[:, piece], values[:, piece] = attention.keys_values(self.norm1(tokens[:, piece]), span)
        return keys, values

    def _advance(
        self, tokens: Tensor, normed: Tensor, memory: tuple[Tensor, Tensor], rotary: RotaryTable | None
    ) -> None:
        tokens += self.ls1(self.attn(normed, *memory, rotary))
        tokens += self.ls2(self.mlp(self.norm2(tokens)))
