"""Whether what is to be installed has room: on the disk, and in the length of names that Windows allows.

This module imports nothing beyond the standard library.
"""

import csv
import logging
import shutil
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import InstallError
from ..weights.disk import in_gigabytes
from .failures import unwritable
from .integrity import installed, recorded
from .locked import Wheel

logger = logging.getLogger(__name__)

# Bytes on disk for a byte of wheel, measured on the locked versions: 3.7 without NVIDIA's libraries, 1.8 with them.
UNPACKED = 3.8
UNPACKED_NVIDIA = 2.0
SPARE = 200_000_000  # bytes that stay free
LONG_PATHS = 4000  # letters, on all other systems, about
_LOADED = (".py", ".pyd", ".dll")  # what Python opens itself; we read and remove the rest by names of any length
LONGEST_PATH = 259  # letters, on a Windows that was not told to allow more


def check_space(folder: Path, downloads: Path, wheels: Sequence[Wheel]) -> None:
    """Raise InstallError unless `wheels` can be fetched to `downloads`, and installed in `folder`."""
    begun = 0
    for wheel in wheels:
        there = [path for path in (downloads / wheel.file, downloads / f"{wheel.file}.part") if path.exists()]
        begun += min(sum(path.stat().st_size for path in there), wheel.size)
    unpacked = sum(wheel.size * (UNPACKED_NVIDIA if wheel.name.startswith("nvidia-") else UNPACKED) for wheel in wheels)
    needed = sum(wheel.size for wheel in wheels) - begun + int(unpacked) + SPARE
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise unwritable(folder, error) from error
    if free < needed:
        raise InstallError(
            f"{in_gigabytes(needed)} are needed in {folder}, and {in_gigabytes(free)} are free, so nothing was "
            "installed: free some space, then try again."
        )


def check_names(site: Path, files: Iterable[Path], limit: int | None = None) -> None:
    """Raise InstallError where a name in the wheels `files` would be too long below `site`.

    `limit` is in letters; None: what this system allows.
    """
    longest_allowed = _longest_allowed() if limit is None else limit
    for file in files:
        with zipfile.ZipFile(file) as archive:
            longest = max((len(name) for name in archive.namelist() if name.endswith(_LOADED)), default=0)
        if len(str(site)) + 1 + longest > longest_allowed:
            raise InstallError(
                f"Windows allows names of {longest_allowed} letters, and what is installed in {site} has longer ones, "
                "so nothing was installed: switch on long paths in Windows (see docs/troubleshooting.md)."
            )


def installed_size(site: Path) -> int:
    """Bytes of all files of the packages in a site-packages folder, as those of their RECORDs say that can be read."""
    total = 0
    for package in installed(site).values():
        try:
            total += sum(size for _, _, size in recorded(package))
        except (OSError, ValueError, csv.Error) as error:  # what is whole is another's question
            logger.warning("the size of %s is not known: %r", package.name, error)
    return total


def _longest_allowed() -> int:
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
                return LONG_PATHS if winreg.QueryValueEx(key, "LongPathsEnabled")[0] else LONGEST_PATH
        except OSError:
            return LONGEST_PATH
    return LONG_PATHS
