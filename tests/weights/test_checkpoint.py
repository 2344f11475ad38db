"""Files of weights that may be opened: what comes out is what was put in, whatever the file is called."""

import argparse
import dataclasses
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from vggt_addon.weights.checkpoint import DTYPES, open_checkpoint

Write = Callable[[dict[str, torch.Tensor], Path], None]
WRITERS: dict[str, Write] = {"torch": torch.save, "safetensors": save_file}


def tensors(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"scale": (), "head.bias": (5,), "head.weight": (5, 3), "patch.weight": (4, 3, 2, 2)}
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}


def assert_equal(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors", "model.bin", "ohne Endung", "Größe 写真.pth"])
def test_what_was_saved_comes_back(tmp_path: Path, kind: str, dtype: torch.dtype, name: str) -> None:
    WRITERS[kind](tensors(dtype), tmp_path / name)
    checkpoint = open_checkpoint(tmp_path / name)
    assert (checkpoint.path, checkpoint.format, checkpoint.metadata) == (tmp_path / name, kind, {})
    assert_equal(checkpoint.tensors, tensors(dtype))
    for tensor in checkpoint.tensors.values():
        assert type(tensor) is torch.Tensor and not tensor.requires_grad and tensor.device.type == "cpu"


def test_a_checkpoint_cannot_be_changed(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    with pytest.raises(dataclasses.FrozenInstanceError):
        checkpoint.format = "safetensors"  # type: ignore[misc]
    with pytest.raises(TypeError):
        checkpoint.tensors["more"] = torch.zeros(1)  # type: ignore[index]


@pytest.mark.parametrize("kind", WRITERS)
def test_the_tensors_lie_in_the_file(tmp_path: Path, kind: str) -> None:
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not list what a process has mapped")
    path = tmp_path / "model.any"
    WRITERS[kind](tensors(), path)
    checkpoint = open_checkpoint(path)
    ranges = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(path))
    ]
    for tensor in checkpoint.tensors.values():
        assert any(begin <= tensor.data_ptr() < end for begin, end in ranges)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_name_that_is_no_unicode(tmp_path: Path, kind: str) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.pt")
    WRITERS[kind](tensors(), tmp_path / "model")
    (tmp_path / "model").rename(path)
    assert_equal(open_checkpoint(path).tensors, tensors())


def test_a_link_is_followed(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "blob")
    (tmp_path / "model.pt").symlink_to("blob")
    assert_equal(open_checkpoint(tmp_path / "model.pt").tensors, tensors())


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_weights_beside_settings_of_a_training(tmp_path: Path, wrapper: str) -> None:
    settings = argparse.Namespace(model="A(b=(512, 512))", lr=1e-4, sizes=[1, (2.5, None)], amp=True, inf=float("inf"))
    torch.save({"args": settings, wrapper: OrderedDict(tensors()), "epoch": 3}, tmp_path / "dust3r.pth")
    assert_equal(open_checkpoint(tmp_path / "dust3r.pth").tensors, tensors())
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_a_network_as_torch_saves_it(tmp_path: Path) -> None:
    """state_dict() is an OrderedDict with an attribute; parameters are tensors of a class of their own."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.save(network.state_dict(), tmp_path / "tensors.pt")
    torch.save(dict(network.named_parameters()), tmp_path / "parameters.pt")
    for name in ("tensors.pt", "parameters.pt"):
        found = open_checkpoint(tmp_path / name).tensors
        assert_equal(found, network.state_dict())
        assert not any(tensor.requires_grad for tensor in found.values())


@pytest.mark.parametrize("kind", WRITERS)
def test_opened_while_inference_is_on(tmp_path: Path, kind: str) -> None:
    """Parameters made of such tensors must be ordinary ones, wherever the file was opened."""
    WRITERS[kind](tensors(), tmp_path / "model")
    with torch.inference_mode():
        checkpoint = open_checkpoint(tmp_path / "model")
    assert not any(tensor.is_inference() for tensor in checkpoint.tensors.values())


def test_two_names_of_one_tensor_and_two_halves_of_one(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(4, 3)
    saved = {"first": whole, "second": whole, "turned": whole.t()}
    torch.save(saved, tmp_path / "one.pt")
    assert_equal(open_checkpoint(tmp_path / "one.pt").tensors, saved)
    halves = {"upper": whole[:2], "lower": whole[2:]}
    torch.save(halves, tmp_path / "halves.pt")
    assert_equal(open_checkpoint(tmp_path / "halves.pt").tensors, halves)


def test_metadata_is_taken_by_name(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "model", {"format": "pt", "licence": "MIT", "__import__": "os", "script": "rm"})
    assert open_checkpoint(tmp_path / "model").metadata == {"format": "pt", "licence": "MIT"}
    save_file(tensors(), tmp_path / "model", {"format": "pt", "licence": "\x1b[31m", "network": "x" * 301})
    assert open_checkpoint(tmp_path / "model").metadata == {"format": "pt"}


def test_a_file_by_hand_is_read_like_one_of_the_library(tmp_path: Path, handmade: ModuleType) -> None:
    """So that what the hostile ones are refused for is what is wrong with them, not how they were made."""
    numbers = torch.arange(6.0)
    pickle = handmade.program(handmade.table({"a": handmade.tensor((2, 3))}))
    path = handmade.archive(tmp_path / "model.pt", pickle, {"0": numbers.numpy().tobytes()})
    assert_equal(open_checkpoint(path).tensors, {"a": numbers.reshape(2, 3)})
    contents = b'{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    path = handmade.safetensors(tmp_path / "model.safetensors", contents, numbers.numpy().tobytes())
    assert_equal(open_checkpoint(path).tensors, {"a": numbers.reshape(2, 3)})
