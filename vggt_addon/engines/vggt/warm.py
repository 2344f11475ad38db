"""VGGT stays loaded between the runs of one process.

This module imports nothing beyond the standard library; its neighbours import torch.
"""

from collections.abc import Hashable

import torch

from ...settings import NetworkSettings
from ...weights.store import StoredWeights
from ..keep_last import KeepLast
from ..layers.devices import Device
from ..stored_weights import find_weights
from .load import Loaded, heads_for, load


class WarmLoader(KeepLast[Loaded]):
    """See `KeepLast`: with the heads that the settings need."""

    def find(self, settings: NetworkSettings, dtype: torch.dtype) -> StoredWeights:
        """See `KeepLast.find`."""
        return find_weights("vggt", settings.weights, settings.weights_folder, dtype)

    def make(self, stored: StoredWeights, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> Loaded:
        """See `KeepLast.make`."""
        return load(stored, device, dtype, heads=heads_for(settings.points_from))

    def parts(self, settings: NetworkSettings) -> Hashable:
        """The heads."""
        return heads_for(settings.points_from)
