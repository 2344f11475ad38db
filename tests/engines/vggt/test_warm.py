"""The last network stays loaded: what serves again, what is dropped, and that two never lie in memory side by side."""

import dataclasses
import gc
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.vggt import warm
from vggt_addon.engines.vggt.config import FULL
from vggt_addon.engines.vggt.engine import VggtEngine
from vggt_addon.engines.vggt.load import HEADS, Loaded, load
from vggt_addon.engines.vggt.warm import WarmLoader
from vggt_addon.errors import WeightsError
from vggt_addon.settings import NetworkSettings
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.convert import write_source
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import Store, StoredWeights

PROCESSOR = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def settings(store: Store) -> NetworkSettings:
    return NetworkSettings(weights_folder=str(store.folder))


@pytest.fixture
def put(store: Store, networks: ModuleType, tmp_path: Path) -> Callable[..., Path]:
    """Store the reduced network's weights under this id, as the converter does."""

    def write(id: str = "vggt-1b", without: str = "nothing", sha256: str = "a" * 64) -> Path:
        tensors = {
            name: tensor for name, tensor in networks.weights("vggt").items() if not name.startswith(f"{without}_head.")
        }
        file = tmp_path / f"{id}.safetensors"
        save_checkpoint(file, tensors, {"format": "pt"})
        store.folder.mkdir(exist_ok=True)
        write_source(open_checkpoint(file), store, find_entry(id), "a test", sha256, lambda *_: None, lambda: False)
        return store.require(id).path

    return write


class Watch:
    """Stands where `load` does: the real one, of the reduced size; it notes what it was asked for and who was alive."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.asked: list[tuple[Path, torch.dtype, tuple[str, ...]]] = []
        self.alive_before: list[int] = []
        self._made: list[weakref.ref[Loaded]] = []

    def __call__(
        self, stored: StoredWeights, device: Device, dtype: torch.dtype, config: Any = FULL, heads: Any = HEADS
    ) -> Loaded:
        gc.collect()
        self.alive_before.append(self.alive)
        self.asked.append((stored.path, dtype, heads))
        loaded = load(stored, device, dtype, self.config, heads)
        self._made.append(weakref.ref(loaded))
        return loaded

    @property
    def alive(self) -> int:
        return sum(one() is not None for one in self._made)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, networks: ModuleType) -> Watch:
    made = Watch(networks.VGGT_SMALL)
    monkeypatch.setattr(warm, "load", made)
    return made


def test_the_same_again_loads_nothing(put: Callable[..., Path], settings: NetworkSettings, watch: Watch) -> None:
    path = put()
    loader = WarmLoader()
    assert not loader.holds(settings, PROCESSOR, FLOAT32)
    first = loader(settings, PROCESSOR, FLOAT32)
    assert loader.holds(settings, PROCESSOR, FLOAT32)
    named = dataclasses.replace(settings, weights="vggt-1b", focal="shared", input_size=140)
    assert loader(settings, PROCESSOR, FLOAT32) is first is loader(named, PROCESSOR, FLOAT32)
    assert watch.asked == [(path, FLOAT32, HEADS)]


def test_what_differs_is_loaded_after_the_other_was_dropped(
    put: Callable[..., Path], settings: NetworkSettings, watch: Watch
) -> None:
    put()
    other = put("vggt-1b-commercial")
    loader = WarmLoader()
    loader(settings, PROCESSOR, FLOAT32)
    commercial = dataclasses.replace(settings, weights="vggt-1b-commercial")
    assert not loader.holds(commercial, PROCESSOR, FLOAT32)
    loader(commercial, PROCESSOR, FLOAT32)
    loader(dataclasses.replace(commercial, points_from="head"), PROCESSOR, FLOAT32)
    assert [asked[0] == other for asked in watch.asked] == [False, True, True]
    assert watch.asked[2][2] == (*HEADS, "point")
    assert watch.alive_before == [0, 0, 0] and watch.alive == 1
    loader.drop()
    assert watch.alive == 0 and not loader.holds(settings, PROCESSOR, FLOAT32)


@pytest.mark.parametrize("change", ["newer", "larger"])
def test_a_file_that_was_replaced_is_loaded_anew(
    put: Callable[..., Path], settings: NetworkSettings, watch: Watch, tmp_path: Path, change: str
) -> None:
    path = put()
    loader = WarmLoader()
    first = loader(settings, PROCESSOR, FLOAT32)
    state = path.stat()
    if change == "newer":
        shutil.copy(path, tmp_path / "copy")
        os.replace(tmp_path / "copy", path)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000_000))
    else:
        path.unlink()
        put(sha256="b" * 64, without="track")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert not loader.holds(settings, PROCESSOR, FLOAT32)
    again = loader(settings, PROCESSOR, FLOAT32)
    assert again is not first and len(watch.asked) == 2
    assert again.record["sha256"] == ("a" if change == "newer" else "b") * 64


def test_on_the_processor_a_converted_copy_is_not_kept(
    put: Callable[..., Path], settings: NetworkSettings, watch: Watch
) -> None:
    put()
    loader = WarmLoader()
    assert not loader(settings, PROCESSOR, FLOAT32).converted
    assert loader(settings, PROCESSOR, BFLOAT16).converted
    gc.collect()
    assert watch.alive == 0 and not loader.holds(settings, PROCESSOR, BFLOAT16)


def test_weights_that_are_gone_are_told_and_hold_nothing(
    put: Callable[..., Path], settings: NetworkSettings, watch: Watch
) -> None:
    path = put()
    loader = WarmLoader()
    loader(settings, PROCESSOR, FLOAT32)
    path.unlink()
    assert not loader.holds(settings, PROCESSOR, FLOAT32)
    with pytest.raises(WeightsError, match="VGGT's weights are not in"):
        loader(settings, PROCESSOR, FLOAT32)


def test_an_engine_that_is_kept_keeps_its_network() -> None:
    first, second = VggtEngine(), VggtEngine()
    assert isinstance(first._load_network, WarmLoader) and first._load_network is not second._load_network
