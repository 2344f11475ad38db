"""Which network a checkpoint is for, and which of its tensors run in half precision: asked of the networks themselves.

They are built on the meta device, which takes a moment and no memory. This module imports torch, the standard library
and, inside its functions, the networks of the engines.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch

from ..errors import WeightsError
from .checkpoint import Checkpoint
from .loading import CheckpointRules, load_weights

Network = Literal["vggt", "dust3r"]
TITLES: dict[Network, str] = {"vggt": "VGGT", "dust3r": "DUSt3R"}
NEEDED = ("camera", "depth")  # heads of VGGT without which there is no reconstruction
BEYOND = {"point": "the point map", "track": "point tracks"}  # heads of VGGT that a file may have or not


@dataclass(frozen=True)
class Recognised:
    """What a file of weights is for."""

    network: Network
    lacks: tuple[str, ...]  # parts that it has nothing for, in the artist's words

    @property
    def title(self) -> str:
        return TITLES[self.network] + (f" without {' and '.join(self.lacks)}" if self.lacks else "")


def recognise(checkpoint: Checkpoint) -> Recognised:
    """The network that takes `checkpoint`, whole. Raises WeightsError where there is none."""
    names = checkpoint.tensors
    if any(name.startswith("aggregator.") for name in names):
        has = [head for head in BEYOND if any(name.startswith(f"{head}_head.") for name in names)]
        load_weights(build("vggt", [*NEEDED, *has]), checkpoint, rules("vggt"))
        return Recognised("vggt", tuple(words for head, words in BEYOND.items() if head not in has))
    if any(name.startswith("enc_blocks.") for name in names):
        load_weights(build("dust3r"), checkpoint, rules("dust3r"))
        return Recognised("dust3r", ())
    raise WeightsError(
        f"{checkpoint.path} holds weights of another network than VGGT or DUSt3R: choose another file.",
        f"its first names: {', '.join(list(names)[:5])}",
    )


def halved_names(network: Network, half: torch.dtype) -> frozenset[str]:
    """Names of the tensors that are of the dtype `half` where the network's blocks run in it; the rest is float32."""
    built = build(network)
    built.halve_blocks(half)  # type: ignore[operator]
    return frozenset(name for name, tensor in built.state_dict().items() if tensor.dtype == half)


def rules(network: Network) -> CheckpointRules:
    """What it accepts of a file that does not hold exactly its own names."""
    if network == "vggt":
        from ..engines.vggt.checkpoint_rules import RULES
    else:
        from ..engines.dust3r.checkpoint_rules import RULES
    return RULES


def build(network: Network, heads: Sequence[str] = (*NEEDED, *BEYOND)) -> torch.nn.Module:
    """The network on the meta device; of VGGT, with these heads."""
    with torch.device("meta"):
        if network == "vggt":
            from ..engines.vggt.network import VGGT, Head

            return VGGT(heads=cast(Collection[Head], heads))
        from ..engines.dust3r.network import DUSt3R

        return DUSt3R()
