"""Which engine "auto" takes, with its reason, and what is said where VGGT is asked for and cannot be."""

import dataclasses
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from vggt_addon.__main__ import main
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.registry import create
from vggt_addon.engines.vggt import engine
from vggt_addon.engines.vggt.readiness import why_not
from vggt_addon.errors import EngineError
from vggt_addon.photos.gather import gather
from vggt_addon.photos.photo import Photo
from vggt_addon.pipeline import choose_engine
from vggt_addon.settings import EngineSettings, NetworkSettings
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import Store

GPU = Device(torch.device("cuda"), "NVIDIA GeForce", 24_000_000_000, torch.bfloat16)
PROCESSOR = Device(torch.device("cpu"), "the processor", 64_000_000_000, torch.float32)


@pytest.fixture(scope="module")
def folder(helper: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("photos")
    for shot in helper("engines/vggt/standin.py").SHOTS[:2]:
        dataclasses.replace(shot, width=90, height=60, orientation=1).write(made)
    return made


@pytest.fixture(scope="module")
def photos(folder: Path) -> tuple[Photo, ...]:
    return gather([folder]).photos


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A store that holds something under VGGT's name."""
    store = Store(tmp_path / "weights")
    store.folder.mkdir()
    entry = find_entry("vggt-1b")
    record = {"network": "vggt", "source": "a test", "source_sha256": "a" * 64, "licence": entry.licence}
    save_checkpoint(store.path(entry), {"nothing": torch.zeros(1)}, record)
    return store.folder


def settings(weights: Path, **network: Any) -> EngineSettings:
    return EngineSettings(network=NetworkSettings(weights_folder=str(weights), **network))


def on(monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    monkeypatch.setattr(engine, "find_device", lambda name, allowed: device)


def test_without_torch_it_is_the_embedded_engine(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    monkeypatch.setitem(sys.modules, "vggt_addon.engines.vggt.readiness", None)  # importing it would fail
    choice = choose_engine("auto", photos, settings(weights))
    assert choice.name == "sfm" and choice.reason == "the embedded engine, which needs neither GPU nor weights"


def test_without_weights_it_is_the_embedded_engine_and_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    on(monkeypatch, GPU)
    choice = choose_engine("auto", photos, settings(tmp_path / "none"))
    assert choice.name == "sfm"
    assert choice.reason.startswith("the embedded engine. VGGT's weights are not in")
    assert "weights download vggt-1b" in choice.reason


def test_on_the_processor_alone_it_is_the_embedded_engine(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path
) -> None:
    on(monkeypatch, PROCESSOR)
    choice = choose_engine("auto", photos, settings(weights))
    assert choice.name == "sfm"
    assert "without a GPU it takes minutes: ask for it with --engine vggt" in choice.reason


def test_on_a_gpu_with_room_it_is_vggt(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path
) -> None:
    on(monkeypatch, GPU)
    assert why_not(photos, settings(weights)) == ""
    choice = choose_engine("auto", photos, settings(weights))
    assert (choice.name, choice.reason) == ("vggt", "its weights are there, and the photos fit into the GPU's memory")


@pytest.mark.parametrize(("free", "limit"), [(2_000_000_000, 0.0), (24_000_000_000, 2.0)])
def test_on_a_gpu_that_is_too_small_it_is_the_embedded_engine(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path, free: int, limit: float
) -> None:
    on(monkeypatch, dataclasses.replace(GPU, free=free))
    choice = choose_engine("auto", photos, settings(weights, memory_limit=limit))
    assert choice.name == "sfm"
    assert "2 photos need" in choice.reason and "of which 2.0 GB can be used" in choice.reason


def test_too_many_photos_for_the_gpu_are_told_how_many_would_fit(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path
) -> None:
    on(monkeypatch, dataclasses.replace(GPU, free=5_000_000_000))
    many = [dataclasses.replace(photos[0], name=f"{number}.jpg") for number in range(400)]
    choice = choose_engine("auto", many, settings(weights))
    assert choice.name == "sfm" and "400 photos need" in choice.reason and "photos would fit" in choice.reason


def test_a_device_that_is_asked_for_and_not_there(
    monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    choice = choose_engine("auto", photos, settings(weights, device="cuda"))
    assert choice.name == "sfm" and "No NVIDIA" in choice.reason


def test_damaged_weights_are_told(monkeypatch: pytest.MonkeyPatch, photos: tuple[Photo, ...], weights: Path) -> None:
    on(monkeypatch, GPU)
    (file,) = weights.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    choice = choose_engine("auto", photos, settings(weights))
    assert choice.name == "sfm" and "is damaged: delete it" in choice.reason


@pytest.mark.parametrize("name", ["sfm", "vggt"])
def test_what_is_asked_for_by_name_is_taken(photos: tuple[Photo, ...], tmp_path: Path, name: str) -> None:
    assert choose_engine(name, photos, settings(tmp_path)).name == name


def test_an_engine_whose_library_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, package: str | None = None) -> Any:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(EngineError, match="The engine vggt is not installed here: torch is missing"):
        create("vggt")


# --- through the command line


@pytest.mark.parametrize("command", ["reconstruct", "import"])
def test_vggt_without_weights_ends_with_one_sentence(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    on(monkeypatch, PROCESSOR)
    output = tmp_path / "out.blend"
    store = tmp_path / "none"
    code = main([command, str(folder), "-o", str(output), "--engine", "vggt", "--weights-folder", str(store), "--json"])
    assert code == 1
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (error,) = (event for event in events if event["event"] == "error")
    sentence = error["message"]
    assert str(store) in sentence
    assert "`weights download vggt-1b`" in sentence and "`weights convert`" in sentence
    assert not output.exists() and not output.with_suffix(".capture").exists()


def test_auto_says_which_engine_and_why(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, GPU)
    main(["reconstruct", str(folder), "-o", str(tmp_path / "out"), "--weights-folder", str(tmp_path / "none")])
    said = capfd.readouterr()
    assert "Engine: sfm (the embedded engine. VGGT's weights are not in" in said.out + said.err
