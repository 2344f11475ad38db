"""Reading from the file itself: the same numbers as through its map, wherever they lie."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vggt_addon.errors import WeightsError
from vggt_addon.weights import file_reader
from vggt_addon.weights.checkpoint import Checkpoint, open_checkpoint
from vggt_addon.weights.file_reader import FileReader
from vggt_addon.weights.saving import save_checkpoint


def make(folder: Path, ending: str) -> Checkpoint:
    whole = torch.randn(6, 4)
    tensors: dict[str, Tensor] = {"a": torch.randn(7, 5), "b": torch.randn(3).half(), "one": torch.tensor(2.5)}
    tensors |= {"upper": whole[:3], "lower": whole[3:], "turned": torch.randn(4, 9).t(), "empty": torch.zeros(0, 2)}
    path = folder / f"model.{ending}"
    if ending == "pt":
        torch.save({"model": tensors, "training": {"more": torch.randn(50)}}, path)
    else:
        save_checkpoint(path, tensors, {"source": "a test"})
    return open_checkpoint(path)


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize("length", [1, 4, 1000])
def test_numbers_are_those_of_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, length: int
) -> None:
    monkeypatch.setattr(file_reader, "SLICE", length)
    checkpoint = make(tmp_path, ending)
    with FileReader(checkpoint) as reader:
        assert reader.base is not None
        for name, tensor in checkpoint.tensors.items():
            slices = list(reader.slices(tensor))
            assert all(len(row) <= length and row.dtype == tensor.dtype for row in slices), name
            found = torch.cat(slices) if slices else torch.zeros(0)
            assert torch.equal(found, tensor.reshape(-1)), name


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_they_come_from_the_file(tmp_path: Path, ending: str) -> None:
    """Not from the map, which a test cannot take away without ending itself."""
    checkpoint = make(tmp_path, ending)
    row = checkpoint.tensors["a"]
    with FileReader(checkpoint) as reader:
        assert reader.base is not None
        assert next(reader.slices(row)).data_ptr() != row.data_ptr()
        raw = checkpoint.path.read_bytes()
        begin = row.data_ptr() - reader.base
        assert raw[begin : begin + row.nbytes] == row.view(torch.uint8).numpy().tobytes()


def test_tensors_of_no_file_are_taken_from_memory(tmp_path: Path) -> None:
    checkpoint = make(tmp_path, "pt")
    strangers = Checkpoint(checkpoint.path, "torch", {}, {"a": torch.randn(7, 5)})
    with FileReader(strangers) as reader:
        assert reader.base is None
        assert torch.equal(torch.cat(list(reader.slices(strangers.tensors["a"]))), strangers.tensors["a"].reshape(-1))


def test_a_file_without_numbers(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "model", {"a": torch.zeros(0)}, {})
    with FileReader(open_checkpoint(path)) as reader:
        assert list(reader.slices(torch.zeros(0))) == []


def test_a_file_that_was_replaced_is_not_read(tmp_path: Path) -> None:
    checkpoint = make(tmp_path, "pt")
    with FileReader(checkpoint) as reader:
        make(tmp_path, "pt")
        with pytest.raises(WeightsError, match="changed while it was read"):
            list(reader.slices(checkpoint.tensors["a"]))
