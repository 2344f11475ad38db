"""Tensors written to a `.safetensors` file as one step, in little memory.

    8 bytes     length of the list of contents, little-endian
    the list    JSON: name -> {"dtype", "shape", "data_offsets": [begin, end]}, and "__metadata__"; spaces to 8 n bytes
    numbers     tensor after tensor, wide kinds first, so that each lies at a multiple of its own width

The library's own writer wants all tensors at once, as they shall be in the file; this one casts and writes a slice at
a time, tells how far it is, and can be stopped. This module imports torch, the standard library and nothing else.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch

from ..errors import WeightsError
from ..progress import Cancel, Progress, check, never, no_progress
from .checkpoint import METADATA, is_plain
from .disk import check_space, unwritable
from .file_reader import slices_in_memory

Slices = Callable[[torch.Tensor], Iterator[torch.Tensor]]
KINDS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
FLUSH = 200_000_000  # bytes handed to the disk at a time: a full one is noticed, and the last flush is short


def save_checkpoint(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    metadata: Mapping[str, str],
    *,
    dtypes: Mapping[str, torch.dtype] | None = None,
    slices: Slices = slices_in_memory,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> Path:
    """Write `tensors` (of KINDS, dense, on the CPU) and `metadata` (of METADATA, a line each), replacing a file.

    `dtypes` names the tensors that are cast, and to what; `slices` reads a tensor's numbers. Tensors that are one and
    the same in memory are stored once, under the first of their names: the network's rules or its shared modules give
    them back. Written under a temporary name in the same folder (the final one with a dot before it and letters
    behind), flushed to the disk, and renamed.
    Returns the absolute path. Raises ValueError for other metadata or tensors, WeightsError where the disk refuses or
    a number is too large for float16, Cancelled.
    """
    if unfit := {key: text for key, text in metadata.items() if key not in METADATA or not is_plain(text)}:
        raise ValueError(f"the metadata of a checkpoint cannot hold {unfit}")
    kept = _stored_once(tensors, dtypes or {})
    contents, size = _contents(kept, metadata)
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_space(path.parent, size)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(contents)
                _write(file, kept, slices, size, progress, cancel)
            temporary.chmod(0o644)  # mkstemp's 0o600 would lock out the artist's colleagues
            os.replace(temporary, path)
            _flush_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def _stored_once(
    tensors: Mapping[str, torch.Tensor], dtypes: Mapping[str, torch.dtype]
) -> dict[str, tuple[torch.Tensor, torch.dtype]]:
    """`tensors` without second names of one, with the dtype that each gets, the wide ones first."""
    kept: dict[str, tuple[torch.Tensor, torch.dtype]] = {}
    seen: set[object] = set()
    for name, tensor in tensors.items():
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if not tensor.nbytes or place not in seen:
            seen.add(place)
            kept[name] = tensor.detach(), dtypes.get(name, tensor.dtype)
    return dict(sorted(kept.items(), key=lambda item: -item[1][1].itemsize))


def _contents(kept: Mapping[str, tuple[torch.Tensor, torch.dtype]], metadata: Mapping[str, str]) -> tuple[bytes, int]:
    """The beginning of the file, and the number of bytes of the whole."""
    table: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (tensor, dtype) in kept.items():
        if dtype not in KINDS or name == "__metadata__":
            raise ValueError(f"a checkpoint cannot hold {name} of {dtype}")
        begin, end = end, end + tensor.numel() * dtype.itemsize
        table[name] = {"dtype": KINDS[dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, 8 + len(text) + end


def _write(
    file: BinaryIO,
    kept: Mapping[str, tuple[torch.Tensor, torch.dtype]],
    slices: Slices,
    size: int,
    progress: Progress,
    cancel: Cancel,
) -> None:
    """The numbers, to the disk itself."""
    unflushed = 0
    for name, (tensor, dtype) in kept.items():
        for numbers in slices(tensor):
            check(cancel)
            cast = numbers.to(dtype)
            if dtype == torch.float16 and not torch.equal(cast.isfinite(), numbers.isfinite()):
                raise WeightsError("These weights have numbers that float16 cannot hold: take bfloat16 instead.", name)
            unflushed += file.write(cast.view(torch.uint8).numpy().data)
            if unflushed >= FLUSH:
                _flush(file)
                unflushed = 0
            progress("Writing the weights", file.tell() / size)
    _flush(file)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """So that the new name outlives a power cut; Windows opens no folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
