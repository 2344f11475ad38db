"""Whether what was installed is still what the wheels held: every file against the sha256 in its package's RECORD.

This module imports nothing beyond the standard library.
"""

import base64
import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..progress import Cancel, Progress, check
from .layout import any_length
from .locked import normalised
from .record import Package

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Installed:
    """A package as it lies in an environment."""

    name: str  # normalised
    version: str
    metadata: Path  # its .dist-info folder


def installed(site: Path) -> dict[str, Installed]:
    """What lies in a site-packages folder, by name; takes a millisecond."""
    found: dict[str, Installed] = {}
    for folder in site.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        found[normalised(name)] = Installed(normalised(name), version, folder)
    return found


def missing(site: Path, packages: Sequence[Package]) -> list[str]:
    """Packages that are not there, or in another version; a look at names alone."""
    there = installed(site)
    return [
        package.name
        for package in packages
        if (found := there.get(package.name)) is None
        or found.version != package.version
        or not (found.metadata / "RECORD").is_file()
    ]


def damaged(site: Path, packages: Sequence[Package], progress: Progress, cancel: Cancel) -> list[str]:
    """Packages of which a file is gone or changed; reads all of them. Raises Cancelled."""
    there = installed(site)
    bad = missing(site, packages)
    for number, package in enumerate(packages):
        progress(f"Checking {package.name}", number / len(packages))
        if package.name not in bad and not intact(site, there[package.name], cancel):
            bad.append(package.name)
    return bad


def intact(site: Path, package: Installed, cancel: Cancel) -> bool:
    """Whether all files of a package that its RECORD has a sha256 of are as they should be. Raises Cancelled."""
    try:
        rows = recorded(package)
        if not any(digest for _, digest, _ in rows):
            return False  # not a list that an installer has written
        for name, digest, _ in rows:
            check(cancel)
            if digest and _sha256(any_length(site) / name, cancel) != digest:
                return False
    except (OSError, ValueError, csv.Error):
        return False
    return True


def recorded(package: Installed) -> list[tuple[str, str, int]]:
    """The files of a package inside site-packages: relative name, sha256 as RECORD writes it or "", size.

    Raises OSError, csv.Error, ValueError.
    """
    rows: list[tuple[str, str, int]] = []
    with (any_length(package.metadata) / "RECORD").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if not row:
                raise ValueError("a blank line")
            name = PurePosixPath(row[0])
            if name.is_absolute() or ".." in name.parts or "\\" in row[0] or ":" in row[0]:
                continue  # a program outside of site-packages, which we never start
            digest = row[1].removeprefix("sha256=") if len(row) > 1 and row[1].startswith("sha256=") else ""
            rows.append((row[0], digest, int(row[2]) if len(row) > 2 and row[2] else 0))
    return rows


def _sha256(path: Path, cancel: Cancel) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            check(cancel)
            digest.update(block)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
