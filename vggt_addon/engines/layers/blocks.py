"""Pre-norm transformer blocks (Dosovitskiy et al. 2021, equations 2 and 3), a piece of the sequence at a time.

This module imports torch.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import CrossAttention, SelfAttention
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
    """A learned factor for each channel of a residual branch (Touvron et al. 2021, Going deeper with transformers)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, stream: Tensor, branch: Tensor) -> None:
        """stream += gamma · branch, in place, in the stream's precision."""
        stream.add_(branch * self.gamma)


class NoScale(nn.Module):
    """A residual branch as it is."""

    def forward(self, stream: Tensor, branch: Tensor) -> None:
        """stream += branch, in place, in the stream's precision."""
        stream.add_(branch)


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
        self.ls1 = LayerScale(width) if layer_scale else NoScale()
        self.norm2 = LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, 4 * width)
        self.ls2 = LayerScale(width) if layer_scale else NoScale()

    def forward(self, tokens: Tensor, rotary: RotaryTable | None, chunk: int) -> None:
        """Change `tokens` (batch, T, width) in place, `chunk` tokens of each sequence at a time."""
        for part, attended, _ in attend_in_pieces(self.norm1, self.attn, tokens, rotary, chunk):
            self.ls1(part, attended)
            self.ls2(part, self.mlp(self.norm2(part)))


class DecoderBlock(nn.Module):
    """x += attention(norm1(x)); x += cross(norm2(x), norm_y(memory)); x += mlp(norm3(x)) (CroCo, section 3)."""

    def __init__(self, width: int, heads: int, *, norm_eps: float) -> None:
        super().__init__()
        self.norm1 = LayerNorm(width, eps=norm_eps)
        self.attn = SelfAttention(width, heads)
        self.norm2 = LayerNorm(width, eps=norm_eps)
        self.norm_y = LayerNorm(width, eps=norm_eps)
        self.cross_attn = CrossAttention(width, heads)
        self.norm3 = LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, 4 * width)

    def read(self, memory: Tensor, rotary: RotaryTable) -> tuple[Tensor, Tensor]:
        """What this block will look at in the other sequence (batch, M, width): keys and values, (batch, M, heads,
        head_dim) each. Taken before either sequence changes."""
        return self.cross_attn.keys_values(self.norm_y(memory), rotary)

    def forward(self, tokens: Tensor, rotary: RotaryTable, memory: tuple[Tensor, Tensor], chunk: int) -> None:
        """Change `tokens` (batch, T, width) in place, `chunk` tokens of each sequence at a time."""
        for part, attended, span in attend_in_pieces(self.norm1, self.attn, tokens, rotary, chunk):
            part += attended
            part += self.cross_attn(self.norm2(part), *memory, span)
            part += self.mlp(self.norm3(part))


def attend_in_pieces(
    norm: LayerNorm, attention: SelfAttention, tokens: Tensor, rotary: RotaryTable | None, chunk: int
) -> Iterator[tuple[Tensor, Tensor, RotaryTable | None]]:
    """Self-attention of `tokens` (batch, T, width): yields each piece, what it gathered, and its rotary angles.

    Once the keys and values of the whole sequence are there, a token's way through a block depends on no other token:
    the caller may change each piece, a view of `tokens`, as soon as it is yielded.
    """
    length = tokens.shape[1]
    if length <= chunk:  # one piece: its norm serves queries, keys and values
        span = rotary.span(0, length) if rotary else None
        normed = norm(tokens)
        keys, values = attention.keys_values(normed, span)
        yield tokens, attention(normed, keys, values, span), span
        return
    pieces = [slice(start, min(start + chunk, length)) for start in range(0, length, chunk)]
    spans = [rotary.span(piece.start, piece.stop) if rotary else None for piece in pieces]
    shape = (*tokens.shape[:2], attention.heads, attention.width // attention.heads)
    keys = torch.empty(shape, dtype=attention.qkv.weight.dtype, device=tokens.device)
    values = torch.empty_like(keys)
    for piece, span in zip(pieces, spans, strict=True):
        keys[:, piece], values[:, piece] = attention.keys_values(norm(tokens[:, piece]), span)
    for piece, span in zip(pieces, spans, strict=True):
        part = tokens[:, piece]
        yield part, attention(norm(part), keys, values, span), span
