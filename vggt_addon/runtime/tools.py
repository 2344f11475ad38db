"""Where the tool that resolves and installs comes from: uv, or pip where uv cannot be had or run.

Both are wheels that `tools.json` locks by sha256 for every platform, fetched by Python's own library from wherever
packages come from: so Blender's Python needs no pip (some have none), and the artist no terminal. uv is one program,
knows which build of torch fits the driver, and makes environments of Pythons that have no `venv`; pip is Python, runs
from its wheel, and does the same more slowly.
This module imports nothing beyond the standard library.
"""

import json
import logging
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import InstallError
from ..progress import Cancel, no_progress
from ..weights.background import Watch, in_background
from ..weights.disk import hash_file
from .children import NotStartedError, run
from .fetch import fetch
from .index import find_file
from .locked import Wheel
from .network import Network
from .pip_tool import PipTool
from .sources import Sources
from .tool import Tool
from .uv_tool import UvTool

logger = logging.getLogger(__name__)

TABLE = Path(__file__).with_name("tools.json")


def tool_wheels(platform: str) -> dict[str, Wheel]:
    """The wheels of "uv" and "pip" for a platform, without addresses; uv may be missing."""
    found: dict[str, Wheel] = {}
    for name, facts in json.loads(TABLE.read_text(encoding="utf-8")).items():
        if entry := facts["wheels"].get(platform) or facts["wheels"].get("any"):
            found[name] = Wheel(name, facts["version"], entry["file"], entry["sha256"], "", 0)
    return found


def fetch_tool(wheel: Wheel, folder: Path, sources: Sources, network: Network, cancel: Cancel) -> Path:
    """One of `tool_wheels` in `folder`. Raises InstallError, Cancelled."""
    path = folder / wheel.file
    if path.exists() and hash_file(path, no_progress, cancel) == wheel.sha256:
        return path

    def work(watch: Watch) -> Path:
        url = find_file(wheel.name, wheel.file, sources, network)
        return fetch(replace(wheel, url=url), folder, network, stopped=watch.stop.is_set)

    return in_background(work, no_progress, cancel)


def get_tool(
    folder: Path,
    platform: str,
    python: Path,
    sources: Sources,
    environment: Mapping[str, str],
    network: Network | None,
    cancel: Cancel,
) -> Tool:
    """uv, else pip, with its files in `folder`; `network` is None where only what is there already may be used.

    Raises InstallError where neither can be had, Cancelled.
    """
    wheels = tool_wheels(platform)
    folder.mkdir(parents=True, exist_ok=True)

    def file(wheel: Wheel) -> Path:
        if network is None:
            if not (folder / wheel.file).exists():
                raise InstallError(f"{wheel.file} is not in the archive: get or make the archive again.")
            return folder / wheel.file
        return fetch_tool(wheel, folder, sources, network, cancel)

    failure: Exception = NotStartedError("there is no uv for this platform")
    if "uv" in wheels:
        try:
            program = _unpacked(file(wheels["uv"]), folder)
            run([str(program), "--version"], environment, folder, cancel)
            return UvTool(program, environment, folder, sources.own)
        except (NotStartedError, InstallError, zipfile.BadZipFile, ValueError) as error:
            logger.warning("uv is not to be had, so pip takes its place: %r %s", error, getattr(error, "detail", ""))
            failure = error
    try:
        return PipTool(file(wheels["pip"]), python, environment, folder, sources.own)
    except InstallError as error:
        raise (failure if isinstance(failure, InstallError) else error) from error


def _unpacked(wheel: Path, folder: Path) -> Path:
    """uv's program out of its wheel. Raises BadZipFile, ValueError."""
    program = folder / ("uv.exe" if os.name == "nt" else "uv")
    part = program.with_name(f"{program.name}.part")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(f".data/scripts/{program.name}"))
        with archive.open(member) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
    part.chmod(0o755)
    os.replace(part, program)
    return program
