"""VGGT with its weights, ready to run: from the store by mapping, without a copy.

This module imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch

from ...weights.checkpoint import open_checkpoint
from ...weights.loading import load_weights
from ...weights.store import StoredWeights
from ..layers.allocator import return_freed_memory
from ..layers.chunks import Chunks, OnStep
from ..layers.devices import Device
from .checkpoint_rules import RULES
from .config import FULL, VggtConfig
from .network import ALL_HEADS, VGGT, Head
from .output import VggtOutput
from .run import Network

HEADS: tuple[Head, ...] = ("camera", "depth")


@dataclass(frozen=True)
class Loaded:
    """A network and where its weights come from."""

    network: Network
    record: Mapping[str, str]  # name, sha256, licence: see Reconstruction.weights
    converted: bool = False  # whether numbers had to be copied into another dtype than the file's


def heads_for(points_from: str) -> tuple[Head, ...]:
    """What is built and loaded for a run whose points come from there: see NetworkSettings."""
    return (*HEADS, "point") if points_from == "head" else HEADS


@cache
def weights_memory(dtype: torch.dtype, config: VggtConfig = FULL, heads: tuple[Head, ...] = HEADS) -> int:
    """Bytes of the weights of the network as `load` makes it."""
    with torch.device("meta"):
        network = VGGT(config, heads)
        if dtype.itemsize == 2:
            network.halve_blocks(dtype)
    return sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())


def load(
    stored: StoredWeights,
    device: Device,
    dtype: torch.dtype,
    config: VggtConfig = FULL,
    heads: tuple[Head, ...] = HEADS,
) -> Loaded:
    """The network with these heads on `device`, its blocks in `dtype`.

    Raises WeightsError where the file is damaged, of another size than `config`, or has nothing for one of the heads.
    """
    if device.is_cpu:
        return_freed_memory()
    with torch.device("meta"):
        network = VGGT(config, heads)
    load_weights(network, open_checkpoint(stored.path), RULES)
    converted = _widen(network, dtype)
    network.to(device.device)

    def call(images: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        output: VggtOutput = network(images, None, chunks, on_step)
        return output

    return Loaded(call, stored.record, converted)


def _widen(network: VGGT, dtype: torch.dtype) -> bool:
    """Everything to float32, but the blocks' matrices to `dtype`; what is in that dtype already stays as it lies.

    Whether anything was not.
    """
    stored = [tensor.dtype for tensor in network.state_dict().values()]
    if dtype.itemsize == 2:
        network.halve_blocks(dtype)
    with torch.device("meta"):
        wanted = VGGT(network.config, [head for head in ALL_HEADS if getattr(network, f"{head}_head") is not None])
        if dtype.itemsize == 2:
            wanted.halve_blocks(dtype)
    dtypes = {name: tensor.dtype for name, tensor in wanted.state_dict().items()}
    for name, tensor in network.state_dict().items():
        if tensor.dtype != dtypes[name]:
            network.load_state_dict({name: tensor.to(dtypes[name])}, strict=False, assign=True)
    return stored != list(dtypes.values())
