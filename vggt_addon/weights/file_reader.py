"""Numbers of an opened checkpoint, read from its file by ordinary reads rather than through the map of it in memory.

Where a mapped file goes away (a stick pulled out, a network drive lost, a file cut short), the system ends the process
that looks there; a read merely fails. So what takes minutes reads. This module imports torch, the standard library and
nothing else.
"""

import errno
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from ..errors import WeightsError
from .checkpoint import Checkpoint
from .disk import unreadable

FileState = tuple[int, int, int, int]
SLICE = 4_000_000  # numbers read at a time
PAGE = 4096  # bytes; files are mapped at multiples of it


def slices_in_memory(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensor's numbers in their order, SLICE at a time: (n,) each, in a row in memory."""
    yield from tensor.contiguous().reshape(-1).split(SLICE) if tensor.numel() else ()


def file_state(path: Path) -> FileState:
    """What differs once a file was written to or replaced. Raises WeightsError where it cannot be read."""
    try:
        state = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


class FileReader:
    """A context manager: `slices` as slices_in_memory, from the file.

    Raises WeightsError where it cannot be read, or is no longer as it was (`unchanged_since`, or else now).
    """

    def __init__(self, checkpoint: Checkpoint, unchanged_since: FileState | None = None) -> None:
        self._path = checkpoint.path
        self._state = unchanged_since or file_state(self._path)
        self._check_unchanged()
        try:
            self.base = _base(checkpoint)  # the address of the file's first byte; None where it cannot be told
        except OSError as error:
            raise unreadable(self._path, error) from error

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("rb", buffering=0)
        except OSError as error:
            raise unreadable(self._path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def slices(self, tensor: torch.Tensor) -> Iterator[torch.Tensor]:
        """Numbers of a tensor of the checkpoint. One that lies turned in the file is read through the map after all."""
        if self.base is None or not tensor.is_contiguous():
            yield from slices_in_memory(tensor)
            self._check_unchanged()
            return
        for begin in range(0, tensor.numel(), SLICE):
            row = torch.empty(min(SLICE, tensor.numel() - begin), dtype=tensor.dtype)
            try:
                self._fill(row, tensor.data_ptr() - self.base + begin * tensor.itemsize)
            except OSError as error:
                raise unreadable(self._path, error) from error
            self._check_unchanged()
            yield row

    def _check_unchanged(self) -> None:
        if file_state(self._path) != self._state:
            raise WeightsError(f"{self._path} changed while it was read: try again when it is complete.")

    def _fill(self, row: torch.Tensor, offset: int) -> None:
        """With what is in the file from byte `offset`."""
        self._file.seek(offset)
        rest = row.view(torch.uint8).numpy().data
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise OSError(errno.EIO, "it became shorter while it was read")
            rest = rest[count:]


def _base(checkpoint: Checkpoint) -> int | None:
    """Where in memory the file begins: there, every piece of numbers in memory is one in the file.

    Neither library tells; but the file tells where its pieces are.
    """
    path = checkpoint.path
    pieces = _safetensors_pieces(path) if checkpoint.format == "safetensors" else _archive_pieces(path)
    used = {
        storage.data_ptr(): storage.nbytes()
        for storage in (tensor.untyped_storage() for tensor in checkpoint.tensors.values())
        if storage.nbytes()
    }
    if not used:
        return None
    first = min(used)
    for offset, length in pieces.items():
        base = first - offset
        fits = length == used[first] and base % PAGE == 0
        if fits and all(pieces.get(address - base) == size for address, size in used.items()):
            return base
    return None


def _safetensors_pieces(path: Path) -> Mapping[int, int]:
    """Offset in the file -> length, in bytes, of every tensor."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        contents = json.loads(file.read(length))
    places = [entry["data_offsets"] for name, entry in contents.items() if name != "__metadata__"]
    return {8 + length + begin: end - begin for begin, end in places if begin < end}


def _archive_pieces(path: Path) -> Mapping[int, int]:
    """The same of every member of a torch archive."""
    pieces: dict[int, int] = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            file.seek(member.header_offset + 26)  # of the lengths of the name and of the extra field
            head = file.read(4)
            offset = member.header_offset + 30 + int.from_bytes(head[:2], "little") + int.from_bytes(head[2:], "little")
            if member.file_size:
                pieces[offset] = member.file_size
    return pieces
