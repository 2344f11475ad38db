"""The last network stays loaded, for a process that runs a learned engine again and again.

This module imports torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch

from ..errors import WeightsError
from ..settings import NetworkSettings
from ..weights.store import StoredWeights
from .layers.devices import Device, release_memory

LOADED_PER_SECOND = 1.5e9  # bytes of weights from a disk: one of a laptop of 2020; a disk with moving parts takes 0.2e9


class _Loaded(Protocol):
    """What is kept says of itself whether numbers had to be copied into another dtype than the file's."""

    @property
    def converted(self) -> bool: ...


LoadedT = TypeVar("LoadedT", bound=_Loaded)


@dataclass(frozen=True)
class _Key:
    """What must be the same for a network to serve again."""

    path: Path
    size: int  # bytes of the file
    changed: int  # ns: when the file was last written
    device: torch.device
    dtype: torch.dtype
    parts: Hashable


class KeepLast(ABC, Generic[LoadedT]):
    """Loads, and keeps the network: the same file, device, precision and parts cost nothing the next time.

    At most one is kept; it is dropped before another is loaded, so that two never lie in memory side by side. A network
    on the processor whose blocks had to be converted is not kept: that copy is memory that nobody else can have, while
    the file's own numbers are only mapped. For one thread.
    """

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._loaded: LoadedT | None = None
        self._device: Device | None = None

    @abstractmethod
    def find(self, settings: NetworkSettings, dtype: torch.dtype) -> StoredWeights:
        """The file to load from. Raises WeightsError."""

    @abstractmethod
    def make(self, stored: StoredWeights, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> LoadedT:
        """The network from that file. Raises WeightsError."""

    def parts(self, settings: NetworkSettings) -> Hashable:
        """Which parts of the network these settings need; all of it unless said otherwise."""
        return None

    def __call__(self, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> LoadedT:
        """The network that these settings name. Raises WeightsError; what was kept is then as it was, or dropped."""
        stored = self.find(settings, dtype)
        key = self._key_of(stored, settings, device, dtype)
        if self._loaded is not None and key == self._key:
            return self._loaded
        self.drop()
        loaded = self.make(stored, settings, device, dtype)
        if not loaded.converted or not device.is_cpu:
            self._key, self._loaded, self._device = key, loaded, device
        return loaded

    def holds(self, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> bool:
        """Whether a call would load nothing; also False where it would fail."""
        if self._loaded is None:
            return False
        try:
            stored = self.find(settings, dtype)
        except WeightsError:
            return False
        return self._key == self._key_of(stored, settings, device, dtype)

    def drop(self) -> None:
        """Give the memory back."""
        device, self._key, self._loaded, self._device = self._device, None, None, None
        if device is not None:
            release_memory(device)

    def _key_of(self, stored: StoredWeights, settings: NetworkSettings, device: Device, dtype: torch.dtype) -> _Key:
        state = stored.path.stat()
        return _Key(stored.path, state.st_size, state.st_mtime_ns, device.device, dtype, self.parts(settings))


def loading_seconds(
    load: object, settings: NetworkSettings, device: Device, dtype: torch.dtype, weights_memory: int
) -> float:
    """What `load` will take for these settings: nothing where it keeps that network; `weights_memory` in bytes."""
    held = isinstance(load, KeepLast) and load.holds(settings, device, dtype)
    return 0.0 if held else weights_memory / LOADED_PER_SECOND
