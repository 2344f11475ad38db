"""The last network stays loaded, for a process that runs VGGT again and again.

This module imports nothing beyond the standard library; its neighbours import torch.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from ...errors import WeightsError
from ...settings import NetworkSettings
from ...weights.store import StoredWeights
from ..layers.devices import Device, release_memory
from .load import Loaded, find_weights, heads_for, load
from .network import Head


@dataclass(frozen=True)
class _Key:
    """What must be the same for a network to serve again."""

    path: Path
    size: int  # bytes of the file
    changed: int  # ns: when the file was last written
    device: torch.device
    dtype: torch.dtype
    heads: tuple[Head, ...]


class WarmLoader:
    """Loads, and keeps the network: the same file, device, precision and heads cost nothing the next time.

    At most one is kept; it is dropped before another is loaded, so that two never lie in memory side by side. A network
    on the processor whose blocks had to be converted is not kept: that copy is memory that nobody else can have, while
    the file's own numbers are only mapped. For one thread.
    """

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._loaded: Loaded | None = None
        self._device: Device | None = None

    def __call__(self, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> Loaded:
        """The network that these settings name. Raises WeightsError; what was kept is then as it was, or dropped."""
        stored = find_weights(settings.weights, settings.weights_folder, dtype)
        key = _key(stored, settings, device, dtype)
        if self._loaded is not None and key == self._key:
            return self._loaded
        self.drop()
        loaded = load(stored, device, dtype, heads=key.heads)
        if not loaded.converted or not device.is_cpu:
            self._key, self._loaded, self._device = key, loaded, device
        return loaded

    def holds(self, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> bool:
        """Whether a call would load nothing; also False where it would fail."""
        if self._loaded is None:
            return False
        try:
            stored = find_weights(settings.weights, settings.weights_folder, dtype)
        except WeightsError:
            return False
        return self._key == _key(stored, settings, device, dtype)

    def drop(self) -> None:
        """Give the memory back."""
        device, self._key, self._loaded, self._device = self._device, None, None, None
        if device is not None:
            release_memory(device)


def _key(stored: StoredWeights, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> _Key:
    state = stored.path.stat()
    heads = heads_for(settings.points_from)
    return _Key(stored.path, state.st_size, state.st_mtime_ns, device.device, dtype, heads)
