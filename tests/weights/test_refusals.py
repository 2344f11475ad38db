"""Files that are no weights, or not whole, or not sound: each refused with its own sentence."""

import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from vggt_addon.errors import WeightsError
from vggt_addon.weights import safetensors_file, torch_file
from vggt_addon.weights.checkpoint import open_checkpoint

Refused = Callable[[Path], str]

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 5026150064\n"


def jpeg() -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "JPEG")
    return stream.getvalue()


def test_places_without_a_file(tmp_path: Path, refused: Refused) -> None:
    assert "is not there" in refused(tmp_path / "model.pt")
    assert "is not there" in refused(tmp_path / "a\0b.pt")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "model.pt").touch()
    assert "is empty" in refused(tmp_path / "model.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "model.pt")
    assert "no ordinary file" in refused(tmp_path / "model.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LFS, "is a Git LFS pointer"),
        (b"\n <!DOCTYPE html><html><title>Sign in</title>", "is a web page"),
        (b"\xef\xbb\xbf<html>" + b"\xc3\xa9" * 3000, "is a web page"),
        (b'{"error":"Access to model is restricted"}', "is a text"),
        (b"abcdefgh{", "is a text"),
        (jpeg(), "is a picture"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture"),
        (pickle.dumps({"a": 1}, 2), "old file form"),
        (pickle.dumps({"a": 1}, 4), "old file form"),
        (b"storages".ljust(257, b"\0") + b"ustar\x0000", "old file form"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0", "is not a file of weights"),
        (b"\0" * 5000, "is not a file of weights"),
        (b"\0", "is not a file of weights"),
        (b"PK\x05\x06" + b"\0" * 18, "is not a file of weights"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_files_are_named(tmp_path: Path, refused: Refused, content: bytes, said: str, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    assert said in refused(path)


def test_the_old_form_of_torch(tmp_path: Path, refused: Refused) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "model.pt", _use_new_zipfile_serialization=False)
    assert "old file form" in refused(tmp_path / "model.pt")


def test_other_archives(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photos/a.jpg", b"1")
        archive.writestr("weights/model.safetensors", b"2")
    assert "unpack it" in refused(tmp_path / "photos.zip")
    sound = handmade.program(handmade.table({"a": handmade.tensor((1,))}))
    path = handmade.archive(tmp_path / "two.pt", sound, {"0": bytes(4)}, records={"other/data.pkl": sound})
    assert "unpack it" in refused(path)
    path = handmade.archive(tmp_path / "program.pt", sound, {"0": bytes(4)}, records={"archive/code/a.py": b"1"})
    assert "holds a program" in refused(path)


def test_a_program_of_torch(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    sound = handmade.program(handmade.table({"a": handmade.tensor((1,))}))
    path = handmade.archive(tmp_path / "a.pt", sound, {"0": bytes(4)}, records={"archive/constants.pkl": b"\x80\x02)."})
    assert "holds a program" in refused(path)


def test_the_other_byte_order(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    sound = handmade.program(handmade.table({"a": handmade.tensor((1,))}))
    path = handmade.archive(tmp_path / "a.pt", sound, {"0": bytes(4)}, records={"archive/byteorder": b"big"})
    assert "another kind of processor" in refused(path)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_cut_anywhere(tmp_path: Path, refused: Refused, kind: str) -> None:
    """What was interrupted is never taken for whole, and is called so once there is enough of it."""
    whole, part = tmp_path / "whole", tmp_path / "part.bin"
    tensors = {"a": torch.randn(6, 5), "b": torch.randn(7)}
    (torch.save if kind == "torch" else save_file)(tensors, whole)
    content = whole.read_bytes()
    for length in (*range(1, 50), *range(50, len(content), 3), len(content) - 1):
        part.write_bytes(content[:length])
        said = refused(part)
        assert "download it again" in said.lower()
        if length > 9:
            assert "cut short" in said, length


def test_how_much_is_there_is_said(tmp_path: Path, refused: Refused) -> None:
    save_file({"a": torch.zeros(1000)}, tmp_path / "model.safetensors")
    size = (tmp_path / "model.safetensors").stat().st_size
    os.truncate(tmp_path / "model.safetensors", size - 1500)
    assert f"{size - 1500:,} of at least {size:,} bytes" in refused(tmp_path / "model.safetensors")


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_longer_than_it_says(tmp_path: Path, refused: Refused, kind: str) -> None:
    path = tmp_path / "model"
    (torch.save if kind == "torch" else save_file)({"a": torch.zeros(3)}, path)
    path.write_bytes(path.read_bytes() + b"more")
    assert "damaged" in refused(path)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_any_byte_may_be_wrong(tmp_path: Path, kind: str, assert_plain: Callable[[WeightsError, Path], str]) -> None:
    """Weights or a refusal, nothing else: no other exception, and no tensors that reach outside the file."""
    path, generator = tmp_path / "model", random.Random(8)
    (torch.save if kind == "torch" else save_file)({"a": torch.randn(2, 3), "b": torch.randn(4).half()}, path)
    sound = path.read_bytes()
    refusals = 0
    for place in range(0, len(sound), 3 if kind == "torch" else 1):
        content = bytearray(sound)
        content[place] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        try:
            found = open_checkpoint(path).tensors
        except WeightsError as error:
            refusals += 1
            assert_plain(error, path)
        else:
            assert sum(tensor.nbytes for tensor in found.values()) <= len(sound)
            assert all(tensor.isnan().sum() >= 0 for tensor in found.values())  # all of it can be read
    assert refusals > 100


CONTENTS = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


@pytest.mark.parametrize(
    "contents",
    [
        {"a": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": [-2, -3], "data_offsets": [0, 24]}},
        {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [24, 0]}},
        {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, -24]}},
        {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 2**70]}},
        {"a": {"dtype": "F32", "shape": [2, 3]}},
        {"a": {"dtype": "F33", "shape": [2, 3], "data_offsets": [0, 24]}},
        {**CONTENTS, "b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}},  # two on one place
        {**CONTENTS, "b": {"dtype": "F32", "shape": [3], "data_offsets": [12, 24]}},
        {"b": {"dtype": "F32", "shape": [3], "data_offsets": [12, 24]}},  # a hole before it
        {**CONTENTS, "__metadata__": {"format": 5}},
        {**CONTENTS, "__metadata__": [1]},
        [1],
    ],
    ids=lambda contents: json.dumps(contents)[:70],
)
def test_contents_that_contradict_themselves(
    tmp_path: Path, refused: Refused, handmade: ModuleType, contents: object
) -> None:
    raw = json.dumps(contents).encode()
    if raw[:1] == b"[":
        raw = b'{"a":' + raw + b"}"
    assert "damaged" in refused(handmade.safetensors(tmp_path / "model.safetensors", raw, bytes(24)))


def test_lists_of_contents_that_are_none(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    path = tmp_path / "model.safetensors"
    entry = json.dumps(CONTENTS["a"]).encode()
    for contents in (
        b"{",
        b'{"a":' * 2000,
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + entry + b',"a":' + entry + b"}",
        b"{\xff}",
    ):
        assert "damaged" in refused(handmade.safetensors(path, contents, bytes(24)))
    for length in (2**63, 2**64 - 1, safetensors_file.LONGEST_LIST + 1):
        assert "damaged" in refused(handmade.safetensors(path, b'{"a":', bytes(24), length=length))
    assert "no weights" in refused(handmade.safetensors(path, b"{}"))
    assert "no weights" in refused(handmade.safetensors(path, b'{"__metadata__":{"format":"pt"}}'))


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "float8_e4m3fn"])
def test_numbers_of_other_types(tmp_path: Path, refused: Refused, dtype: str, kind: str) -> None:
    tensors = {"a": torch.zeros(3), "b": torch.zeros(3).to(getattr(torch, dtype))}
    (torch.save if kind == "torch" else save_file)(tensors, tmp_path / "model")
    said = refused(tmp_path / "model")
    assert "cannot be used here" in said
    assert dtype in said or dtype == "float8_e4m3fn"


def test_tensors_that_are_no_plain_numbers(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    for name, tensor in {"sparse": torch.eye(3).to_sparse(), "nowhere": torch.zeros(3, device="meta")}.items():
        torch.save({"a": torch.zeros(3), name: tensor}, tmp_path / "model.pt")
        assert "cannot be used here" in refused(tmp_path / "model.pt")
    quantised = handmade.call(handmade.function("torch._utils", "_rebuild_qtensor"))
    path = handmade.archive(tmp_path / "model.pt", handmade.program(handmade.table({"a": quantised})))
    assert "cannot be used here" in refused(path)


@pytest.mark.parametrize(
    "held",
    [{"a": torch.zeros(3), "epoch": 3}, {1: torch.zeros(3)}, {"a": [torch.zeros(3)]}, {"model": {"a": "text"}}],
    ids=str,
)
def test_objects_other_than_named_tensors(tmp_path: Path, refused: Refused, held: object) -> None:
    torch.save(held, tmp_path / "model.pt")
    assert "more than weights" in refused(tmp_path / "model.pt")


def test_no_table_or_an_empty_one(tmp_path: Path, refused: Refused) -> None:
    for other in (torch.zeros(3), [torch.zeros(3)], None):
        torch.save(other, tmp_path / "model.pt")
        assert "other than a table of weights" in refused(tmp_path / "model.pt")
    nothing: list[dict[str, object]] = [{}, {"model": {}}]
    for held in nothing:
        torch.save(held, tmp_path / "model.pt")
        assert "holds no weights" in refused(tmp_path / "model.pt")


def test_compressed_archives_are_not_unpacked(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    """A thousandth of the size on the disk would become the whole in memory."""
    pickle_ = handmade.program(handmade.table({"a": handmade.tensor((1_000_000,))}))
    path = handmade.archive(tmp_path / "a.pt", pickle_, {"0": bytes(4_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert "damaged" in refused(path)
    few = random.Random(1).randbytes(400)  # do not become less: they would be read as they are, compressed
    pickle_ = handmade.program(handmade.table({"a": handmade.tensor((100,))}))
    path = handmade.archive(tmp_path / "b.pt", pickle_, {"0": few}, compression=zipfile.ZIP_DEFLATED)
    assert "damaged" in refused(path)


def test_an_archive_with_absurd_parts(
    tmp_path: Path, refused: Refused, handmade: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = handmade.program(handmade.table({"a": handmade.tensor((1,))}))
    path = handmade.archive(tmp_path / "model.pt", sound, {"0": bytes(4)})
    content = path.read_bytes()
    assert "damaged" in refused(handmade.archive(path, sound, {"0": bytes(4)}, records={"ARCHIVE/data/0": bytes(4)}))
    path.write_bytes(b"PK\x03\x04" + content)  # one archive inside another's bytes
    assert "damaged" in refused(path)
    path.write_bytes(content)
    for limit in ("LONGEST_PICKLE", "LONGEST_DIRECTORY"):
        with monkeypatch.context() as patch:
            patch.setattr(torch_file, limit, 50)
            assert "damaged" in refused(path)
    assert open_checkpoint(path).tensors["a"].shape == (1,)


@pytest.mark.parametrize("field", ["compressed size", "both sizes", "offset"])
def test_members_longer_than_their_place(tmp_path: Path, refused: Refused, handmade: ModuleType, field: str) -> None:
    """The directory's own claims, altered where the archive's last entry keeps them."""
    sound = handmade.program(handmade.table({"a": handmade.tensor((1,))}))
    path = handmade.archive(tmp_path / "model.pt", sound, {"0": bytes(4)})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    sizes = {"compressed size": [20], "both sizes": [20, 24], "offset": [42]}[field]
    for place in sizes:
        content[entry + place : entry + place + 4] = (5000 if field != "offset" else 0).to_bytes(4, "little")
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_a_piece_longer_than_its_place(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    """Its tensor would be filled with the archive's own inner workings."""
    claimed = handmade.program(handmade.table({"a": handmade.tensor((16,))}))
    path = handmade.archive(tmp_path / "model.pt", claimed, {"0": bytes(4)}, records={"archive/rest": bytes(100)})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"archive/data/0") - 46
    for place in (20, 24):
        content[entry + place] = 64
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_what_the_system_refuses(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "model")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be read: Permission denied" in refused(tmp_path / "model")


def test_a_name_no_library_takes_and_no_links(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "model.safetensors")

    def denied(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", denied)
    assert "rename it to weights.pt" in refused(tmp_path / "model.safetensors")
