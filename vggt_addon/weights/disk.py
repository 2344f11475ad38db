"""Disks: how much room is left, what to say when there is none, and the sha256 of a file on them.

This module imports nothing beyond the standard library.
"""

import errno
import hashlib
import shutil
from pathlib import Path

from ..errors import WeightsError
from ..progress import Cancel, Progress, check

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPARE = 100_000_000  # bytes that stay free
BLOCK = 4_000_000  # bytes read between two looks at `cancel`
ELSEWHERE = "free some space, or choose a folder on another disk (in the preferences, or --weights-folder)"


def check_space(folder: Path, needed: int) -> None:
    """Raise WeightsError unless `needed` bytes can be written in `folder`."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise unwritable(folder, error) from error
    if free < needed + SPARE:
        raise WeightsError(
            f"{in_gigabytes(needed + SPARE)} are needed in {folder}, and {in_gigabytes(free)} are free: {ELSEWHERE}."
        )


def unwritable(path: Path, error: OSError) -> WeightsError:
    """What to say where the system refuses to write `path`."""
    if error.errno in FULL:
        return WeightsError(f"The disk is full, so {path} could not be written: {ELSEWHERE}.", repr(error))
    return WeightsError(f"{path} could not be written: {error.strerror or error}.", repr(error))


def unreadable(path: Path, error: OSError) -> WeightsError:
    """What to say where the system refuses to read `path`."""
    return WeightsError(f"{path} cannot be read: {error.strerror or error}.", repr(error))


def in_gigabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 50_000_000 else f"{size / 1e6:.1f} MB"


def hash_file(path: Path, progress: Progress, cancel: Cancel) -> str:
    """The sha256 of the file's content, lower-case hex. Raises WeightsError where it cannot be read, Cancelled."""
    digest, done = hashlib.sha256(), 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                check(cancel)
                digest.update(block)
                done += len(block)
                progress("Checking the file", done / max(size, done))
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()
