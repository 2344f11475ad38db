"""What the name of a wheel's file says. This module imports nothing beyond the standard library."""

import re
from dataclasses import dataclass

from .errors import PackageError


@dataclass(frozen=True)
class WheelName:
    """package-version-python-abi-platform.whl, where each of the last three may be several, joined by dots."""

    package: str  # as a requirement names it: lower case, dashes
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    def serves(self, python: str) -> bool:
        """Whether CPython `python` ("3.11") takes it."""
        minor = int(python.partition(".")[2])
        own = f"cp3{minor}"
        if own in self.pythons and {own, "abi3", "none"} & {*self.abis}:
            return True
        if "py3" in self.pythons and "none" in self.abis:
            return True
        since = [int(tag.removeprefix("cp3")) for tag in self.pythons if re.fullmatch(r"cp3\d+", tag)]
        return "abi3" in self.abis and any(first <= minor for first in since)


def parse_wheel_name(file: str) -> WheelName:
    """Raises PackageError where `file` is not named like a wheel."""
    parts = file.removesuffix(".whl").split("-")
    if not file.endswith(".whl") or len(parts) != 5 or "/" in file or "\\" in file:
        raise PackageError(f"{file} is not named like a wheel.")
    package, version, pythons, abis, platforms = parts
    tags = (tuple(part.split(".")) for part in (pythons, abis, platforms))
    return WheelName(re.sub(r"[-_.]+", "-", package).lower(), version, *tags)
