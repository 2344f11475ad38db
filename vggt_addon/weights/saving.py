"""Tensors written to a `.safetensors` file as one step.

This module imports torch, safetensors, the standard library and nothing else.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from ..errors import WeightsError
from .checkpoint import METADATA, is_plain


def save_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Path:
    """Write `tensors` (dense, on the CPU) and `metadata` (keys of METADATA, a line each) to `path`, replacing a file.

    Tensors that are one and the same in memory are stored once, under the first of their names: the network's rules or
    its shared modules give them back. Written under a temporary name in the same folder, flushed to the disk, and
    renamed. Returns the absolute path. Raises ValueError for other metadata, WeightsError where the disk refuses.
    """
    if unfit := {key: text for key, text in metadata.items() if key not in METADATA or not is_plain(text)}:
        raise ValueError(f"the metadata of a checkpoint cannot hold {unfit}")
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            save_file(_stored_once(tensors), temporary, dict(metadata))
            temporary.chmod(0o644)  # mkstemp's 0o600 would lock out the artist's colleagues
            _flush(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"The weights could not be written to {path}: {reason}.", repr(error)) from error
    return path


def _stored_once(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`tensors` without second names of one; the format wants each in a row and in memory of its own."""
    kept: dict[str, torch.Tensor] = {}
    seen: set[object] = set()
    storages: set[int] = set()
    for name, tensor in tensors.items():
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.nbytes and place in seen:
            continue
        seen.add(place)
        storage = tensor.untyped_storage().data_ptr()
        row = tensor.detach().contiguous()
        kept[name] = row.clone() if storage in storages and row.data_ptr() == tensor.data_ptr() else row
        storages.add(storage)
    return kept


def _flush(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
