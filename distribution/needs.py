"""What the wheels of a zip ask for is in the zip, too, or in Blender.

This module imports nothing beyond the standard library.
"""

import email
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .errors import PackageError
from .project import PROVIDED
from .wheel_names import parse_wheel_name


def check_needs(wheels: Mapping[str, Path]) -> None:
    """Raises PackageError for a wheel that needs a library which neither the zip nor Blender has."""
    there = {parse_wheel_name(file).package for file in wheels} | PROVIDED
    for file, path in wheels.items():
        lacking = sorted(_needs(path) - there)
        if lacking:
            names = ", ".join(lacking)
            raise PackageError(f"{file} needs {names}: pin it in requirements/run.in, then run `make lock-wheels`.")


def _needs(path: Path) -> set[str]:
    """The libraries that a wheel asks for, whatever the system and version; those of its optional parts left out."""
    with zipfile.ZipFile(path) as wheel:
        metadata = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        asked = email.message_from_bytes(wheel.read(metadata)).get_all("Requires-Dist", [])
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in asked if "extra ==" not in line)
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in names if name}
