"""How much of a network's work is in memory at a time. Changes cost, and of results only their rounding.

This module imports nothing beyond the standard library.
"""

from collections.abc import Callable
from dataclasses import dataclass

OnStep = Callable[[], None]
"""Called after every block, every round of a head and every band of the read-out. What it raises ends the forward
pass at once (cancel)."""


def no_step() -> None:
    """Nobody counts the steps."""


@dataclass(frozen=True)
class Chunks:
    """Sizes of the pieces in which a forward pass is done. All at least 1; raises ValueError otherwise."""

    frames: int = 1  # photos that go through the encoder, the frame blocks and a head at a time (not pairs: DUSt3R's
    #   decoder takes all the pairs that it is given)
    tokens: int = 2048  # tokens of one sequence that go through queries, projections and the MLP at a time
    rows: int = 32  # rows of the picture that the last convolutions of a dense head see at a time
    tracks: int = 512  # query points whose correlations are in memory at a time

    def __post_init__(self) -> None:
        for name in ("frames", "tokens", "rows", "tracks"):
            if getattr(self, name) < 1:
                raise ValueError(f"Chunks.{name} must be at least 1")


DEFAULT_CHUNKS = Chunks()
