"""Files of weights made by hand, byte by byte: what no library would write."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

ORDERED_DICT = b"ccollections\nOrderedDict\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def row(*items: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def table(entries: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in entries.items()) + b"u"


def function(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(what: bytes, *arguments: bytes) -> bytes:
    return what + row(*arguments) + b"R"


def tensor(
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
    *,
    kind: str = "Float",
    piece: str = "0",
    claimed: int | None = None,
    offset: int = 0,
) -> bytes:
    """A call that makes a tensor of the piece of numbers `piece`, which is said to be `claimed` numbers long."""
    count = 1
    row_strides: list[int] = []
    for side in reversed(shape):
        row_strides.insert(0, count)
        count *= side
    storage = row(
        text("storage"), function("torch", f"{kind}Storage"), text(piece), text("cpu"),
        number(count if claimed is None else claimed),
    ) + b"Q"  # fmt: skip
    sides, steps = (row(*map(number, values)) for values in (shape, row_strides if strides is None else strides))
    return call(REBUILD, storage, number(offset), sides, steps, b"\x89", call(ORDERED_DICT))


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def archive(
    path: Path,
    pickle: bytes,
    pieces: Mapping[str, bytes] | None = None,
    *,
    records: Mapping[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """A zip archive as torch.save lays it out, around any pickle, pieces of numbers (compressed or not) and records."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle)
        for key, raw in (pieces or {}).items():
            file.writestr(f"archive/data/{key}", raw, compression)
        for name, raw in {"archive/version": b"3\n", **(records or {})}.items():
            file.writestr(name, raw)
    return path


def safetensors(path: Path, contents: bytes, numbers: bytes = b"", *, length: int | None = None) -> Path:
    """A safetensors file around any list of contents."""
    path.write_bytes(struct.pack("<Q", len(contents) if length is None else length) + contents + numbers)
    return path
