"""Writing weights: whole or not at all, each tensor once."""

import os
import stat
import sys
from pathlib import Path

import pytest
import torch

from vggt_addon.errors import WeightsError
from vggt_addon.weights import saving
from vggt_addon.weights.checkpoint import METADATA, open_checkpoint
from vggt_addon.weights.saving import save_checkpoint


def test_what_is_written_can_be_opened(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4), "b": torch.randn(5).half(), "c": torch.ones(2, 2).bfloat16()}
    tensors |= {"d": torch.tensor(1.0), "e": torch.randn(2).double()}
    metadata = {key: f"größe {key}" for key in METADATA}
    path = save_checkpoint(tmp_path / "new" / "model.safetensors", tensors, metadata)
    checkpoint = open_checkpoint(path)
    assert path.is_absolute() and checkpoint.metadata == metadata
    assert set(checkpoint.tensors) == set(tensors)
    assert all(torch.equal(checkpoint.tensors[name], tensor) for name, tensor in tensors.items())
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_one_tensor_with_two_names_is_stored_once(tmp_path: Path) -> None:
    shared = torch.randn(50, 10)
    path = save_checkpoint(tmp_path / "model", {"first": shared, "second": shared, "alike": shared.clone()}, {})
    assert sorted(open_checkpoint(path).tensors) == ["alike", "first"]


def test_views_of_one_memory_are_stored_apart(tmp_path: Path) -> None:
    whole = torch.randn(6, 4)
    tensors = {"whole": whole, "turned": whole.t(), "upper": whole[:3], "middle": whole[2:4], "column": whole[:, 1]}
    tensors |= {"wide": torch.ones(1).expand(5), "empty": torch.zeros(0, 3)}
    found = open_checkpoint(save_checkpoint(tmp_path / "model", tensors, {})).tensors
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_a_checkpoint_that_was_opened_is_written_again(tmp_path: Path) -> None:
    torch.save({"a": torch.randn(3), "b": torch.randn(4, 2)}, tmp_path / "model.pt")
    original = open_checkpoint(tmp_path / "model.pt")
    copy = open_checkpoint(save_checkpoint(tmp_path / "model.safetensors", original.tensors, {"source": "model.pt"}))
    assert all(torch.equal(copy.tensors[name], tensor) for name, tensor in original.tensors.items())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a mapped file from being replaced")
def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "model", {"a": torch.zeros(3)}, {})
    before = open_checkpoint(path)
    save_checkpoint(path, {"a": torch.ones(3)}, {})
    assert torch.equal(open_checkpoint(path).tensors["a"], torch.ones(3))
    assert torch.equal(before.tensors["a"], torch.zeros(3))  # still the file of that time
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_metadata_by_other_names_is_a_mistake(tmp_path: Path) -> None:
    for metadata in ({"colour": "red"}, {"licence": "MIT\n"}, {"licence": ""}, {"licence": "x" * 301}):
        with pytest.raises(ValueError, match=next(iter(metadata))):
            save_checkpoint(tmp_path / "model", {"a": torch.zeros(3)}, metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["_write", "_flush", "replace"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = save_checkpoint(tmp_path / "model", {"a": torch.zeros(3)}, {})
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os if step == "replace" else saving, step, full)
    with pytest.raises(WeightsError, match=r"model could not be written: Input/output error"):
        save_checkpoint(path, {"a": torch.ones(3)}, {})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_place_that_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="could not be written"):
        save_checkpoint(tmp_path / "file" / "model", {"a": torch.zeros(3)}, {})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """The system takes no more than a part of the file."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(WeightsError, match=r"^The disk is full, so .*model could not be written: free some space"):
            save_checkpoint(tmp_path / "model", {"a": torch.zeros(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
