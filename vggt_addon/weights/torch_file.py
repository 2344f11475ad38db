"""Tensors of a file that torch.save wrote (zip archive, since PyTorch 1.6), memory-mapped.

    ROOT/data.pkl       a pickle: names, shapes, and which piece of numbers each tensor uses
    ROOT/data/KEY       one piece of numbers, stored as it is
    ROOT/byteorder ...  small records

The archive's directory and the pickle are checked here before torch.load, with weights_only, sees the file.
This module imports torch, the standard library and nothing else.
"""

import argparse
import struct
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import torch

from ..errors import WeightsError
from .pickle_check import NAMESPACE, check_pickle
from .plain_name import plain_name

WRAPPERS = ("model", "state_dict")  # names under which training code puts the weights beside its settings
LONGEST_PICKLE = 4_000_000  # bytes; those of our networks have 0.3 million
LONGEST_DIRECTORY = 16_000_000  # bytes; about 100 for each piece of numbers
END = struct.Struct("<4s4H2LH")  # end of the archive's directory, as the zip format has it
END64 = struct.Struct("<4sQ2H2L4Q")  # the same for long archives; torch writes both
LOCATOR = struct.Struct("<4sLQL")  # where END64 is


def read_torch_archive(path: Path, size: int) -> dict[object, object]:
    """The weights in the file, which has `size` bytes. Raises WeightsError where it is not sound or holds a program."""
    try:
        with path.open("rb") as file:
            _check_directory(path, file, size)
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(path, archive)
            pickle_name = next(name for name in members if name.count("/") == 1 and name.endswith("/data.pkl"))
            found = check_pickle(path, archive.read(pickle_name))
        allowed = torch.serialization.safe_globals([argparse.Namespace]) if NAMESPACE in found else nullcontext()
        with plain_name(path, ".pt") as plain, allowed, torch.inference_mode(False):
            loaded = torch.load(plain, weights_only=True, mmap=True, map_location="cpu")
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.", repr(error)) from error
    except Exception as error:  # whatever the libraries raise for a file that contradicts itself
        raise _damaged(path, repr(error)) from error
    table = _unwrapped(path, loaded)
    _check_pieces(path, table, {member.file_size for member in members.values()})
    return table


def _check_directory(path: Path, file: BinaryIO, size: int) -> None:
    """The directory must be short, end the file, and begin where its end says: one archive, nothing around it."""
    file.seek(max(size - END.size - LOCATOR.size - END64.size, 0))
    tail = file.read()
    if tail[-END.size :][:4] != b"PK\x05\x06":
        raise WeightsError(
            f"{path} is cut short or damaged, since its end is missing: the download was interrupted. "
            "Download it again."
        )
    *_, length, begin, comment = END.unpack(tail[-END.size :])
    end = size - END.size
    locator = tail[-END.size - LOCATOR.size : -END.size]
    if locator[:4] == b"PK\x06\x07":
        end -= LOCATOR.size + END64.size
        *_, length, begin = END64.unpack(tail[: END64.size])
        if tail[:4] != b"PK\x06\x06" or LOCATOR.unpack(locator)[2] != end:
            raise _damaged(path, "the end of the archive's directory is not where it should be")
    if comment or length > LONGEST_DIRECTORY or begin + length != end:
        raise _damaged(path, f"a directory of {length} bytes from {begin}, which should end at {end}")


def _checked_members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The archive's members by name, if they are those of one checkpoint, each as long as its place in the file."""
    members = {member.filename: member for member in archive.infolist()}
    if len({name.casefold() for name in members}) != len(archive.infolist()):
        raise _damaged(path, "a name stands twice in the archive")
    roots = {name.partition("/")[0] for name in members}
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(roots) != 1 or len(pickles) != 1:
        raise WeightsError(
            f"{path} is an archive of other files: unpack it, and choose the file of weights inside, if there is one.",
            f"members: {list(members)[:10]}",
        )
    root = roots.pop()
    if any(name.startswith((f"{root}/code/", f"{root}/constants.pkl")) for name in members):
        raise WeightsError(f"{path} holds a program beside its weights and is refused: download the weights alone.")
    following = archive.start_dir
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset, reverse=True):
        compressed = member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size
        if compressed or member.flag_bits & 0x1 or member.header_offset + 30 + member.file_size > following:
            raise _damaged(path, f"{member.filename} is compressed, encrypted or longer than its place: {member!r}")
        following = member.header_offset
    if members[pickles[0]].file_size > LONGEST_PICKLE:
        raise _damaged(path, f"a pickle of {members[pickles[0]].file_size} bytes")
    if f"{root}/byteorder" in members and archive.read(f"{root}/byteorder") != b"little":
        raise WeightsError(f"{path} was written for another kind of processor: download the weights as .safetensors.")
    return members


def _unwrapped(path: Path, loaded: object) -> dict[object, object]:
    """The table of weights: `loaded` itself, or what it holds under one of WRAPPERS."""
    if isinstance(loaded, dict):
        for wrapper in WRAPPERS:
            inner = dict.get(loaded, wrapper)  # not its own .get: a pickle may hide that behind an attribute
            if isinstance(inner, dict):
                return inner
        return loaded
    raise WeightsError(
        f"{path} holds something other than a table of weights: choose another file.", type(loaded).__name__
    )


def _check_pieces(path: Path, table: dict[object, object], sizes: set[int]) -> None:
    """A piece of numbers in memory must be as long as one in the archive: torch believes the length in the pickle."""
    for name, value in dict.items(table):
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            length = value.untyped_storage().nbytes()
            if length not in sizes:
                raise _damaged(path, f"{str(name)[:200]!r} claims a piece of {length} bytes, and there is none")


def _damaged(path: Path, detail: str) -> WeightsError:
    return WeightsError(f"{path} is damaged, or no checkpoint as PyTorch writes it: download it again.", detail)
