"""Rotary position embedding in two dimensions (RoFormer, equation 34, once for the row and once for the column).

This module imports torch.

A head's values are split in halves: the first turns with the token's row, the second with its column. In a half of
2m values, value j forms a pair with value j + m, and the pair turns by position · 100^(-j/m).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BASE = 100.0


@dataclass(frozen=True)
class RotaryTable:
    """Cosine and sine of every token's angles, for one photo; other photos of the sequence repeat it."""

    cosine: Tensor  # (tokens, 1, 2, head_dim/4): [token, any head, row or column, pair], float32 (or float64)
    sine: Tensor  # as cosine

    def span(self, start: int, stop: int) -> "RotaryTable":
        """The table of the tokens start..stop of a sequence of photos, each as long as this table."""
        period = self.cosine.shape[0]
        first = start // period * period
        if stop - first <= period:
            return RotaryTable(self.cosine[start - first : stop - first], self.sine[start - first : stop - first])
        index = torch.arange(start, stop, device=self.cosine.device) % period
        return RotaryTable(self.cosine[index], self.sine[index])

    def rotate(self, vectors: Tensor) -> Tensor:
        """Turn queries or keys: (..., tokens, heads, head_dim) -> the same shape, in the table's dtype or wider."""
        pairs = vectors.unflatten(-1, (2, 2, vectors.shape[-1] // 4))  # (..., tokens, heads, axis, end, pair)
        first, second = pairs.unbind(-2)  # (..., tokens, heads, axis, pair) each
        turned = torch.empty(
            pairs.shape, dtype=torch.promote_types(vectors.dtype, self.sine.dtype), device=pairs.device
        )
        # Not addcmul_, which rounds once where this rounds twice: the plain form's numbers are kept to the bit.
        torch.mul(first, self.cosine, out=turned[..., 0, :]).sub_(second * self.sine)
        torch.mul(second, self.cosine, out=turned[..., 1, :]).add_(first * self.sine)
        return turned.flatten(-3)


def rotary_table(
    height: int, width: int, head_dim: int, *, first_position: int, special_tokens: int = 0, like: Tensor
) -> RotaryTable:
    """Table for `special_tokens` tokens at position (0, 0), then a grid of height x width patches, row-major.

    `first_position` is the row and column of the first patch: 1 in VGGT (0 belongs to the special tokens), 0 in
    DUSt3R. The result is on the device of `like`; float64 if `like` is, else float32. The angles are made in float64:
    in half precision a cosine of a rounded angle would be wrong, not only imprecise.
    """
    rows = torch.arange(first_position, first_position + height).repeat_interleave(width)
    columns = torch.arange(first_position, first_position + width).repeat(height)
    positions = torch.stack([rows, columns], dim=1)  # (patches, 2)
    positions = torch.cat([torch.zeros(special_tokens, 2, dtype=positions.dtype), positions])
    pairs = head_dim // 4
    frequencies = BASE ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    angles = positions[:, None, :, None] * frequencies  # (tokens, 1, 2, pairs)
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return RotaryTable(
        torch.cos(angles).to(dtype).to(like.device),
        torch.sin(angles).to(dtype).to(like.device),
    )
