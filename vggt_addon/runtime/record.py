"""What is known of the environment in use: one small file, replaced whole.

This module imports nothing beyond the standard library.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError
from ..jobs.schema import from_json, to_json
from .failures import unwritable

SCHEMA = 1
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Package:
    """One that is installed."""

    name: str  # normalised
    version: str
    file: str  # the wheel that it came from
    sha256: str


@dataclass(frozen=True)
class Device:
    """Where torch computes, as it was tried."""

    kind: str  # "cuda", "mps", "cpu"; "" where there is no torch
    name: str
    memory: int  # bytes; 0 where it is the machine's own
    torch: str  # its version with its build: "2.13.0+cpu"


@dataclass(frozen=True)
class Record:
    """current.json."""

    schema: int
    environment: str  # name of its folder, beside this file
    lock: str  # id of what it was made from
    python: str  # version of its Python: "3.11.9"
    backend: str  # build of torch that was asked for
    packages: tuple[Package, ...]
    device: Device
    made: str  # date and time, ISO 8601, UTC
    size: int  # bytes on disk
    note: str  # what the artist should know of the device: a sentence, or ""
    damaged: tuple[str, ...]  # packages in which a check has found damage


def read_record(path: Path) -> Record | None:
    """The record in `path`; None where there is no file. Raises FormatError where it is none."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST)
        record = from_json(Record, json.loads(text), "record")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path} cannot be read.", repr(error)) from error
    if record.schema != SCHEMA or not re.fullmatch(r"e[1-9]\d{0,5}", record.environment):
        raise FormatError(f"{path} is of another version of the add-on.")
    return record


def known_record(path: Path) -> Record | None:
    """As `read_record`; None also where what is there cannot be read, and so is of no use."""
    try:
        return read_record(path)
    except FormatError:
        return None


def write_record(path: Path, record: Record) -> None:
    """Put `record` in the place of the one that is there, at once. Raises InstallError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(to_json(record), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise unwritable(path, error) from error
