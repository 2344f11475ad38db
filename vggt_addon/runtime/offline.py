"""An offline archive made: what `archive.py` describes, for this platform or another.

This module imports nothing beyond the standard library.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import InstallError
from ..progress import Cancel, Progress, span
from .accelerator import NONE
from .archive import SCHEMA, Choice, Manifest, write_archive
from .failures import unwritable
from .fetch import fetch_all, with_sizes
from .layout import delete
from .locked import Lock, Wheel
from .network import Network
from .offer import choose_backend
from .platforms import PYTHONS, TRIPLES, this_platform
from .sources import child_environment, configured
from .tool import Target
from .tools import fetch_tool, get_tool, tool_wheels


def archive_name(platform: str, backend: str, lock: Lock) -> str:
    """How an archive is called unless somebody says otherwise."""
    return f"vggt_addon-runtime-{platform}-{backend}-{lock.id}.zip"


def make_archive(
    path: Path,
    platform: str,
    backend: str,
    pythons: Sequence[str],
    lock: Lock,
    progress: Progress,
    cancel: Cancel,
    *,
    replace: bool = False,
) -> Manifest:
    """Choose and fetch for each of `pythons` ("3.11"), and write the archive `path`.

    Raises InstallError, Cancelled: `path` is then as it was, and what was fetched lies beside it for the next try.
    """
    if platform not in TRIPLES or not set(pythons) <= set(PYTHONS):
        raise InstallError(f"Archives are made for {', '.join(TRIPLES)} and Python {', '.join(PYTHONS)}.")
    if path.exists() and not replace:
        raise InstallError(f"{path} already exists: choose another name, or overwrite it with --force.")
    backend = choose_backend(backend, NONE, platform.split("-")[0])
    folder = path.with_name(f".{path.name}.parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest, files = _fetched(folder, platform, backend, pythons, lock, span(progress, 0.0, 0.8), cancel)
        write_archive(path, manifest, files, span(progress, 0.8, 1.0), cancel)
    except OSError as error:
        raise unwritable(folder, error) from error
    delete(folder)
    return manifest


def _fetched(
    folder: Path,
    platform: str,
    backend: str,
    pythons: Sequence[str],
    lock: Lock,
    progress: Progress,
    cancel: Cancel,
) -> tuple[Manifest, dict[str, Path]]:
    """What the archive is to hold, and by name where it lies. Raises InstallError, Cancelled, OSError."""
    sources = configured()
    network, environment = Network(sources), child_environment(sources)
    tool = get_tool(folder / "here", this_platform(), Path(sys.executable), sources, environment, network, cancel)
    choices: list[Choice] = []
    for number, python in enumerate(pythons):
        progress(f"Choosing packages for Python {python}", 0.1 * number / len(pythons))
        wheels = tool.resolve(lock, backend, Target(platform, python), cancel)
        lock.check_all(wheels, platform, python)
        choices.append(Choice(python, tuple(with_sizes(wheels, network, cancel))))
    wanted = list({wheel.file: wheel for choice in choices for wheel in choice.wheels}.values())
    files = fetch_all(wanted, folder, network, span(progress, 0.1, 1.0), cancel)
    tools: list[Wheel] = []
    for wheel in tool_wheels(platform).values():
        files[wheel.file] = fetch_tool(wheel, folder, sources, network, cancel)
        size = files[wheel.file].stat().st_size
        tools.append(Wheel(wheel.name, wheel.version, wheel.file, wheel.sha256, "", size))
    return Manifest(SCHEMA, platform, backend, lock.id, tuple(choices), tuple(tools)), files
