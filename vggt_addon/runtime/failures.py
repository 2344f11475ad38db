"""What to say of what fails while a runtime is made, and what to do about it.

This module imports nothing beyond the standard library.
"""

import re
from pathlib import Path

from ..errors import InstallError
from ..weights.disk import FULL

OFFLINE = (
    "Online access is off, so nothing was downloaded: allow it in Blender's preferences (System, Network), or install "
    "from an archive."
)
KEPT = "What has arrived is kept: try again, and the download goes on from there"
NOT_OFFERED = (
    "Your package index does not offer what is needed for this machine and this Python, so nothing was installed: see "
    "docs/troubleshooting.md, or install from an archive."
)
UNEXPLAINED = (
    "The packages could not be installed, and nothing was changed: try again, and if that does not help send the "
    "diagnosis."
)
_HOST = re.compile(r"https?://(?:[^/\s@]*@)?([A-Za-z0-9.-]+)")


def unreachable(host: str, error: BaseException | str) -> InstallError:
    """Where the network fails."""
    where = host or "The package index"
    return InstallError(
        f"{where} cannot be reached, or the connection broke: check the network, a proxy or firewall too. {KEPT}.",
        error if isinstance(error, str) else repr(error),
    )


def unwritable(path: Path, error: OSError) -> InstallError:
    """Where the system refuses to write `path`."""
    if error.errno in FULL:
        return InstallError(disk_full(path), repr(error))
    return InstallError(
        f"{path} cannot be written ({error.strerror or error}): make that folder writable, then try again.", repr(error)
    )


def disk_full(path: Path) -> str:
    """The sentence for a disk that is full."""
    return f"The disk is full, so nothing was installed in {path}: free some space, then try again."


def explained_output(text: str, folder: Path) -> str:
    """The sentence for what uv or pip has printed before it failed."""
    lowered = text.lower()
    if re.search(r"no space left|(os error|errno|winerror) (28|112)\b|disk quota", lowered):
        return disk_full(folder)
    if re.search(r"failed to fetch|error sending request|dns error|timed out|connection (error|broken|reset)", lowered):
        host = _HOST.search(text)
        return unreachable(host[1] if host else "", text).sentence
    if re.search(
        r"permission denied|read-only file system|(os error|winerror) (5|19)\b|(os error|errno) (13|30)\b", lowered
    ):
        return f"{folder} cannot be written: make that folder writable, then try again."
    if re.search(r"no solution found|no matching distribution|not found in the package registry", lowered):
        return NOT_OFFERED
    return UNEXPLAINED
