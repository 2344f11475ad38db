"""The zips, and the repository that they make together. This module imports nothing beyond the standard library."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import blender_tool
from .archive import make_reproducible
from .lock import read_lock
from .platforms import PLATFORMS, Platform
from .project import REPOSITORY
from .registry import fetch
from .staging import stage

INDEX = ("index.json", "index.html")


def build(platforms: Sequence[Platform], output: Path, repository: Path = REPOSITORY) -> list[Path]:
    """A zip for each of `platforms` in `output`, validated, and the repository's index over all that lie there.

    Zips of the same platform and other versions are removed: the index would list them. Raises PackageError; what
    was finished by then is kept.
    """
    output.mkdir(parents=True, exist_ok=True)
    made = [_build_one(platform, output, repository) for platform in platforms]
    blender_tool.generate_index(output)
    return made


def zips(output: Path, platforms: Sequence[Platform] = PLATFORMS) -> list[Path]:
    """The extension's zips for `platforms` that lie in `output`, of any version."""
    return [path for platform in platforms for path in output.glob(f"*-{platform.in_file_names}.zip")]


def _build_one(platform: Platform, output: Path, repository: Path) -> Path:
    wheels = fetch(read_lock(platform, repository), repository)
    with tempfile.TemporaryDirectory(dir=output, prefix=".") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.mkdir()
        target.mkdir()
        stage(source, platform, wheels, repository)
        built = blender_tool.build(source, target)
        make_reproducible(built)
        blender_tool.validate(built)
        for earlier in zips(output, [platform]):
            earlier.unlink()
        final = output / f"{built.stem}-{platform.in_file_names}.zip"
        os.replace(built, final)
    return final
