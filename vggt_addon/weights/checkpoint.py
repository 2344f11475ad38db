"""A file of network weights, opened as data: named tensors that stay in the file until they are used.

    safetensors     a JSON list of contents, then the numbers; opened by safetensors
    torch           a zip archive of a pickle and the numbers; opened by torch.load(weights_only=True), after the pickle
                    has been read as text (pickle_check.py)

Which one it is, its content says, not its name. Nothing in a file is run, and nothing that it claims is believed
before the file's own size confirms it. This module imports torch, the standard library and nothing else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch

from ..errors import WeightsError
from .recognition import is_safetensors, is_torch_archive, not_weights
from .safetensors_file import read_safetensors
from .torch_file import read_torch_archive

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
HEAD = 1024  # bytes that tell what a file is
LONGEST_NAME = 300  # characters; names and metadata are shown to people
MOST_SIDES = 8  # of a tensor; our networks have up to 5
METADATA = ("format", "network", "source", "source_sha256", "licence")
"""What `Checkpoint.metadata` may hold and `save_checkpoint` writes; other entries of a file are not passed on."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file of weights holds. The tensors are views of the mapped file: it must not change while they live."""

    path: Path  # as it was given
    format: Literal["safetensors", "torch"]
    metadata: Mapping[str, str]  # of METADATA, what the file has; always empty for the format torch
    tensors: Mapping[str, torch.Tensor]  # by name: dense, on the CPU, of one of DTYPES, no gradient


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in the file `path`, memory-mapped: 5 GB open in 0.3 s and take no memory of their own.

    Raises WeightsError, with a sentence that names the file, for whatever is not plain weights, complete and sound.
    """
    head, size = _look(path)
    if is_torch_archive(head):
        tensors = _checked(path, read_torch_archive(path, size))
        return Checkpoint(path, "torch", MappingProxyType({}), MappingProxyType(tensors))
    if is_safetensors(head):
        table, metadata = read_safetensors(path, size)
        known = MappingProxyType({key: metadata[key] for key in METADATA if is_plain(metadata.get(key, ""))})
        return Checkpoint(path, "safetensors", known, MappingProxyType(_checked(path, table)))
    raise not_weights(path, head)


def is_plain(text: str) -> bool:
    """Whether a name or an entry of the metadata is one line of printable characters, and no endless one."""
    return text.isprintable() and 0 < len(text) <= LONGEST_NAME


def _look(path: Path) -> tuple[bytes, int]:
    """The first bytes of the file and its size in bytes."""
    try:
        if path.is_dir():
            raise WeightsError(f"{path} is a folder: choose the file of weights inside it.")
        if not path.exists():
            raise WeightsError(f"{path} is not there: choose another file, or download the weights again.")
        if not path.is_file():  # a pipe would be waited for
            raise WeightsError(f"{path} is no ordinary file: choose the file of weights itself.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.", repr(error)) from error
    if not head:
        raise WeightsError(f"{path} is empty: the download did not begin. Download it again.")
    return head, size


def _checked(path: Path, table: dict[object, object]) -> dict[str, torch.Tensor]:
    """`table`, if nothing is in it but tensors that our networks can hold and that lie apart in the file."""
    tensors: dict[str, torch.Tensor] = {}
    for name, value in dict.items(table):  # not its own .items: a pickle may hide that behind an attribute
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(
                f"{path} holds more than weights and is refused: download a file of weights alone.",
                f"{str(name)[:200]!r} is of type {type(value).__name__}",
            )
        if not is_plain(name):
            raise WeightsError(
                f"{path} is damaged, since its weights have no proper names: download it again.", repr(name)[:200]
            )
        _check_kind(path, name, value)
        _check_extent(path, name, value)
        tensors[name] = value.detach()
    if not tensors:
        raise WeightsError(f"{path} holds no weights: download it again.")
    _check_apart(path, tensors)
    return tensors


def _check_kind(path: Path, name: str, tensor: torch.Tensor) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested or tensor.device.type != "cpu":
        raise WeightsError(
            f"{path} holds compressed or unusual weights, which cannot be used here: download the plain ones.",
            f"{name} is {tensor.layout}, {kind}, on {tensor.device}",
        )
    if tensor.dtype not in DTYPES:
        raise WeightsError(
            f"{path} holds weights of the type {kind}, which cannot be used here: "
            "download them as float32, float16 or bfloat16.",
            f"{name} is {kind}",
        )


def _check_extent(path: Path, name: str, tensor: torch.Tensor) -> None:
    """Every number of the tensor must have a place of its own. In Python's integers: sizes may overflow others."""
    shape, strides = tuple(tensor.shape), tensor.stride()
    needed = math.prod(shape) * tensor.itemsize
    available = tensor.untyped_storage().nbytes() - tensor.storage_offset() * tensor.itemsize
    dense, expected = True, 1
    for stride, side in sorted((stride, side) for stride, side in zip(strides, shape, strict=True) if side > 1):
        dense, expected = dense and stride == expected, expected * side
    if needed > available or (needed and not dense) or len(shape) > MOST_SIDES:
        raise WeightsError(
            f"{path} is damaged or made to mislead, since it claims more weights than it holds: download it again.",
            f"{name}: shape {shape[:100]}, strides {strides[:100]}, {needed} bytes needed, {available} there",
        )


def _check_apart(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Two tensors may be one (both names of the same numbers), but not overlap in part."""
    places = sorted((tensor.data_ptr(), tensor.nbytes, name) for name, tensor in tensors.items() if tensor.nbytes)
    for last, place in pairwise(places):
        if place[:2] != last[:2] and place[0] < last[0] + last[1]:
            raise WeightsError(
                f"{path} is damaged or made to mislead, since weights in it overlap: download it again.",
                f"{place[2]} overlaps {last[2]}",
            )
