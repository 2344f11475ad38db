"""Tensors of a `.safetensors` file, memory-mapped.

    8 bytes     length of the list of contents, little-endian
    the list    JSON: name -> {"dtype", "shape", "data_offsets": [begin, end]}, and "__metadata__": text -> text
    numbers     where the list says, counted from its end

This module imports safetensors, torch, the standard library and nothing else.
"""

import json
from pathlib import Path
from typing import Any

import safetensors
import torch

from ..errors import WeightsError
from .plain_name import plain_name

LONGEST_LIST = 4_000_000  # bytes; the lists of our networks have 0.2 million


def read_safetensors(path: Path, size: int) -> tuple[dict[object, object], dict[str, str]]:
    """The tensors and the metadata of the file, which has `size` bytes. Raises WeightsError where it is not sound."""
    try:
        _check_length(path, size)
        tensors: dict[object, object] = {}
        with (
            torch.inference_mode(False),
            plain_name(path, ".safetensors") as plain,
            safetensors.safe_open(plain, framework="pt", device="cpu") as file,
        ):
            metadata = file.metadata() or {}
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                tensors[name] = file.get_tensor(name)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.", repr(error)) from error
    except Exception as error:  # whatever the library raises for a file that contradicts itself
        raise _damaged(path, repr(error)) from error
    return tensors, dict(metadata)


def _check_length(path: Path, size: int) -> None:
    """The file must end exactly where its list of contents says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_LIST:
            raise _damaged(path, f"its list of contents claims {length} bytes")
        if 8 + length > size:
            raise _short(path, size, 8 + length)
        contents = json.loads(file.read(length), object_pairs_hook=_table)
    ends = [entry["data_offsets"][1] for name, entry in contents.items() if name != "__metadata__"]
    if not all(type(end) is int and 0 <= end < 2**63 for end in ends):
        raise ValueError("no places in the file")
    expected = 8 + length + max(ends, default=0)
    if size < expected:
        raise _short(path, size, expected)
    if size > expected:
        raise _damaged(path, f"{size} bytes, and its list of contents accounts for {expected}")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands twice in the list of contents")
    return table


def _short(path: Path, size: int, expected: int) -> WeightsError:
    return WeightsError(
        f"{path} is cut short, with {size:,} of at least {expected:,} bytes: the download was interrupted. "
        "Download it again."
    )


def _damaged(path: Path, detail: str) -> WeightsError:
    return WeightsError(f"{path} is damaged: download it again.", detail)
