"""DUSt3R with its weights, ready to run: from the store by mapping, without a copy; and kept between runs.

This module imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from ...settings import NetworkSettings
from ...weights.checkpoint import open_checkpoint
from ...weights.loading import load_weights
from ...weights.store import StoredWeights
from ..keep_last import KeepLast
from ..layers.allocator import return_freed_memory
from ..layers.chunks import Chunks, OnStep
from ..layers.devices import Device
from ..stored_weights import find_weights
from .checkpoint_rules import RULES
from .config import FULL, Dust3rConfig
from .network import DUSt3R
from .output import EncodedPhotos, PairOutput


class PairNetwork(Protocol):
    """What a run needs of the network; see `network.DUSt3R`."""

    def encode(self, photos: Tensor, chunks: Chunks, on_step: OnStep) -> EncodedPhotos:
        """(B, 3, H, W) uint8 on the network's device."""
        ...

    def decode(self, first: EncodedPhotos, second: EncodedPhotos, chunks: Chunks, on_step: OnStep) -> PairOutput:
        """Directed pairs."""
        ...


@dataclass(frozen=True)
class Loaded:
    """A network and where its weights come from."""

    network: PairNetwork
    record: Mapping[str, str]  # name, sha256, licence: see Reconstruction.weights
    converted: bool = False  # whether numbers had to be copied into another dtype than the file's


class WarmLoader(KeepLast[Loaded]):
    """See `KeepLast`."""

    def find(self, settings: NetworkSettings, dtype: torch.dtype) -> StoredWeights:
        """See `KeepLast.find`."""
        return find_weights("dust3r", settings.weights, settings.weights_folder, dtype)

    def make(self, stored: StoredWeights, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> Loaded:
        """See `KeepLast.make`."""
        return load(stored, device, dtype)


@cache
def weights_memory(dtype: torch.dtype, config: Dust3rConfig = FULL) -> int:
    """Bytes of the weights of the network as `load` makes it."""
    return sum(parameter.numel() * parameter.element_size() for parameter in _blank(dtype, config).parameters())


def load(stored: StoredWeights, device: Device, dtype: torch.dtype, config: Dust3rConfig = FULL) -> Loaded:
    """The network on `device`, its blocks in `dtype`. Raises WeightsError where the file is damaged or another's."""
    if device.is_cpu:
        return_freed_memory()
    with torch.device("meta"):
        network = DUSt3R(config)
    load_weights(network, open_checkpoint(stored.path), RULES)
    wanted = {name: tensor.dtype for name, tensor in _blank(dtype, config).state_dict().items()}
    converted = False
    for name, tensor in network.state_dict().items():
        if tensor.dtype != wanted[name]:
            converted = True
            network.load_state_dict({name: tensor.to(wanted[name])}, strict=False, assign=True)
    network.to(device.device)
    return Loaded(network, stored.record, converted)


def _blank(dtype: torch.dtype, config: Dust3rConfig) -> DUSt3R:
    """The network without numbers, in the dtypes in which it runs."""
    with torch.device("meta"):
        network = DUSt3R(config)
        return network.halve_blocks(dtype) if dtype.itemsize == 2 else network
