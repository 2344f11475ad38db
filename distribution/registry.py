"""Wheels from the package registry that pip is set up for: which there are, and the files themselves.

This module imports nothing beyond the standard library; pip runs as a process of its own.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import PackageError
from .lock import Wheels
from .platforms import Platform
from .project import REPOSITORY
from .wheel_names import parse_wheel_name

CACHE = Path("wheels", "cache")  # ignored by git; never part of a zip as it is


def resolve(platform: Platform, packages: dict[str, str]) -> Wheels:
    """The best wheel of every package for every Python of `platform`. Raises PackageError where there is none."""
    found: Wheels = {}
    for python in platform.pythons:
        abis = [f"cp{python.replace('.', '')}", "abi3", "none"]
        pinned = [f"{name}=={version}" for name, version in packages.items()]
        with tempfile.TemporaryDirectory() as nowhere:
            command = ["install", "--dry-run", "--ignore-installed", "--report", "-", "--target", nowhere]
            report = _pip([*command, *_target(python, abis, platform.tags), *pinned])
        for item in json.loads(report)["install"]:
            origin = item["download_info"]
            file = unquote(urlsplit(origin["url"]).path.rpartition("/")[2])
            found[file] = origin["archive_info"]["hashes"]["sha256"]
    return found


def fetch(wheels: Wheels, repository: Path = REPOSITORY) -> dict[str, Path]:
    """The files, by name: from the cache, or from the registry into it. Raises PackageError for a wrong one."""
    cache = repository / CACHE
    cache.mkdir(parents=True, exist_ok=True)
    return {file: _cached(cache / file, digest) for file, digest in wheels.items()}


def missing(wheels: Wheels, repository: Path = REPOSITORY) -> list[str]:
    """Those that are not in the cache, or not as they should be."""
    cache = repository / CACHE
    return [file for file, digest in wheels.items() if not _right(cache / file, digest)]


def _cached(path: Path, digest: str) -> Path:
    if not _right(path, digest):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            _download(path.name, digest, Path(folder))
            if not _right(Path(folder, path.name), digest):
                raise PackageError(f"What the registry gave for {path.name} is not what is locked: try again.")
            os.replace(Path(folder, path.name), path)
    return path


def _right(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _download(file: str, digest: str, folder: Path) -> None:
    name = parse_wheel_name(file)
    tag = name.pythons[0]
    python = "3.11" if "abi3" in name.abis or tag == "py3" else f"3.{tag.removeprefix('cp3')}"
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{name.package}=={name.version} --hash=sha256:{digest}\n", encoding="utf-8")
    wanted = ["download", "--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
    _pip([*wanted, *_target(python, name.abis, name.platforms)])


def _target(python: str, abis: Sequence[str], tags: Sequence[str]) -> list[str]:
    options = ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    for abi in abis:
        options += ["--abi", abi]
    for tag in tags:
        options += ["--platform", tag]
    return options


def _pip(arguments: Sequence[str]) -> str:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PackageError(f"pip could not get wheels from the package registry: {reason}")
    return done.stdout
