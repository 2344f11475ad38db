"""The sizes of a DUSt3R network. The defaults are those of the published one, with 571 million parameters.

This module imports nothing beyond the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TransformerConfig:
    """One stack of transformer blocks."""

    width: int
    blocks: int
    heads: int


@dataclass(frozen=True)
class DenseHeadConfig:
    """The DPT heads, two of one kind."""

    projections: tuple[int, int, int, int] = (96, 192, 384, 768)  # channels of the four reassembled maps, fine first
    features: int = 256  # channels of the fusion


@dataclass(frozen=True)
class Dust3rConfig:
    """The whole network. Widths are in channels."""

    patch: int = 16  # pixels: side of a square patch
    encoder: TransformerConfig = field(default_factory=lambda: TransformerConfig(width=1024, blocks=24, heads=16))
    decoder: TransformerConfig = field(default_factory=lambda: TransformerConfig(width=768, blocks=12, heads=12))
    dense_head: DenseHeadConfig = field(default_factory=DenseHeadConfig)

    @property
    def steps_read(self) -> tuple[int, int, int]:
        """The decoder's steps whose states the heads read, from 1: half way, three quarters, and the last."""
        return self.decoder.blocks // 2, self.decoder.blocks * 3 // 4, self.decoder.blocks

    @classmethod
    def reduced(cls, sizes: Mapping[str, Any]) -> "Dust3rConfig":
        """The configuration that a golden file's `reduced` record describes. Raises KeyError or
        TypeError where its entries are not those that are expected."""
        dense = sizes["dense_head"]
        return cls(
            patch=sizes["patch"],
            encoder=TransformerConfig(**sizes["encoder"]),
            decoder=TransformerConfig(**sizes["decoder"]),
            dense_head=DenseHeadConfig(tuple(dense["projections"]), dense["features"]),
        )


FULL = Dust3rConfig()
