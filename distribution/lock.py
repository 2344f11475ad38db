"""The locked list of wheels that the zips carry: by platform, each file's name and its SHA-256.

This module imports nothing beyond the standard library.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from .errors import PackageError
from .platforms import Platform
from .project import REPOSITORY, bundled_for
from .wheel_names import parse_wheel_name

LOCK = Path("wheels", "wheels.lock")
_HEAD = "# The wheels that each zip carries, with their SHA-256. `make lock-wheels`, from requirements/run.in.\n"

Wheels = dict[str, str]  # SHA-256 by file name


def read_lock(platform: Platform, repository: Path = REPOSITORY) -> Wheels:
    """The wheels of `platform`. Raises PackageError where they are not what `requirements/run.in` asks for."""
    data = tomllib.loads((repository / LOCK).read_text(encoding="utf-8"))
    wheels = {str(file): str(digest) for file, digest in data.get(platform.name, {}).items()}
    check_complete(wheels, platform, bundled_for(platform, repository))
    return wheels


def check_complete(wheels: Wheels, platform: Platform, packages: Mapping[str, str]) -> None:
    """Every package has one wheel for every Python, of its version and for this platform, and there is no other wheel.

    Raises PackageError, which says what to do.
    """
    wanted = {(package, python) for package in packages for python in platform.pythons}
    for file, digest in wheels.items():
        name = parse_wheel_name(file)
        served = {(name.package, python) for python in platform.pythons if name.serves(python)} & wanted
        wrong = name.version != packages.get(name.package) or not re.fullmatch("[0-9a-f]{64}", digest)
        if wrong or not served or not {*name.platforms} & {*platform.tags, "any"}:
            raise PackageError(f"{file} should not be in {LOCK} for {platform.name}: run `make lock-wheels`.")
        wanted -= served
    if wanted:
        missing = ", ".join(f"{package} for Python {python}" for package, python in sorted(wanted))
        raise PackageError(f"{LOCK} has no {missing} on {platform.name}: run `make lock-wheels`.")


def write_lock(wheels: Mapping[str, Wheels], repository: Path = REPOSITORY) -> None:
    """Replace the lock by these wheels, by platform."""
    lines = [_HEAD]
    for platform, files in wheels.items():
        lines.append(f"\n[{platform}]\n")
        lines += [f"{json.dumps(file)} = {json.dumps(files[file])}\n" for file in sorted(files)]
    path = repository / LOCK
    temporary = path.with_suffix(".new")
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, path)
