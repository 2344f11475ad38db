"""Files from the network into a folder: continued after an interruption, believed by their sha256 alone.

    FILE           whole and checked
    FILE.part      begun

This module imports nothing beyond the standard library.
"""

import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import Cancelled, InstallError
from ..progress import Cancel, Progress, never, no_progress
from ..weights.background import Watch, in_background
from ..weights.disk import hash_file, in_gigabytes
from .locked import Wheel
from .network import Network
from .network_failures import explained

logger = logging.getLogger(__name__)

_BLOCK = 1 << 18  # bytes
_TRIES = 4  # for one file, if the network fails
_PAUSE = 1.0  # seconds before the second try; doubled for each after it
_PASSING = (408, 429, 500, 502, 503, 504)  # answers that another try may not get
RANGE_NOT_SATISFIABLE = 416


def fetch_all(
    wheels: Sequence[Wheel], folder: Path, network: Network, progress: Progress, cancel: Cancel
) -> dict[str, Path]:
    """All of `wheels` in `folder`: name of the file to its path. Raises InstallError, Cancelled; all is kept."""

    def work(watch: Watch) -> dict[str, Path]:
        known = [replace(wheel, size=wheel.size or _size(wheel, network)) for wheel in wheels]
        total = max(sum(wheel.size for wheel in known), 1)
        watch.stage = f"Downloading {in_gigabytes(total)}"
        done, paths = 0, {}
        for wheel in known:

            def tell(count: int, done: int = done) -> None:
                watch.fraction = min((done + count) / total, 1.0)

            paths[wheel.file] = fetch(wheel, folder, network, tell, watch.stop.is_set)
            done += wheel.size
        return paths

    return in_background(work, progress, cancel)


def with_sizes(wheels: Sequence[Wheel], network: Network, cancel: Cancel) -> list[Wheel]:
    """`wheels` with their sizes, where the servers tell them. Raises InstallError, Cancelled."""

    def work(watch: Watch) -> list[Wheel]:
        return [replace(wheel, size=wheel.size or _size(wheel, network)) for wheel in wheels]

    return in_background(work, no_progress, cancel)


def fetch(
    wheel: Wheel,
    folder: Path,
    network: Network,
    tell: Callable[[int], None] = lambda count: None,
    stopped: Cancel = never,
) -> Path:
    """`wheel` in `folder`; `tell` is called with the number of its bytes that are there.

    Raises InstallError, Cancelled; a begun download is kept.
    """
    path, part = folder / wheel.file, folder / f"{wheel.file}.part"
    if path.is_file() and hash_file(path, no_progress, stopped) == wheel.sha256:
        return path
    try:
        for number in range(_TRIES):
            if number:
                _rest(_PAUSE * 2 ** (number - 1), stopped)
            try:
                _go_on(wheel, part, network, tell, stopped)
                break
            except (OSError, urllib.error.HTTPError) as error:
                if number == _TRIES - 1 or not _may_pass(error):
                    raise
                logger.info("%s: %r; once more", wheel.file, error)
    except (InstallError, Cancelled):
        raise
    except Exception as error:
        raise explained(error, wheel.url, folder) from error
    if hash_file(part, no_progress, stopped) != wheel.sha256:
        part.unlink()
        raise InstallError(
            f"What arrived of {wheel.file} is not what was promised (its sha256 differs), and was deleted: try again. "
            "If that happens twice, something between the package index and this machine changes it."
        )
    os.replace(part, path)
    return path


def _go_on(wheel: Wheel, part: Path, network: Network, tell: Callable[[int], None], stopped: Cancel) -> None:
    """The rest of the file, from where `part` ends."""
    if urlsplit(wheel.url).scheme == "file":
        shutil.copyfile(local_path(wheel.url), part)
        return
    begun = part.stat().st_size if part.exists() else 0
    if wheel.size and begun >= wheel.size:
        if begun > wheel.size:
            part.unlink()
        else:
            return
        begun = 0
    try:
        answer = network.open(wheel.url, {"Range": f"bytes={begun}-"} if begun else {})
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        raise ConnectionError("what has begun is longer than the file") from error
    with answer, part.open("ab") as file:
        if begun and answer.status != 206:
            file.truncate(0)
            begun = 0
        length = int(answer.headers.get("Content-Length") or 0)
        end = begun + length
        while block := answer.read(_BLOCK):
            if stopped():
                raise Cancelled
            file.write(block)
            begun += len(block)
            tell(begun)
    if length and begun < end:
        raise ConnectionError(f"the connection ended after {begun} of {end} bytes")


def local_path(url: str) -> Path:
    """Of a file: address."""
    return Path(urllib.request.url2pathname(urlsplit(url).path))


def _size(wheel: Wheel, network: Network) -> int:
    try:
        if urlsplit(wheel.url).scheme == "file":
            return local_path(wheel.url).stat().st_size
        return network.size(wheel.url)
    except Exception as error:
        raise explained(error, wheel.url, Path()) from error


def _may_pass(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING
    return isinstance(error, urllib.error.URLError | ConnectionError | TimeoutError)


def _rest(seconds: float, stopped: Cancel) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if stopped():
            raise Cancelled
        time.sleep(0.05)
