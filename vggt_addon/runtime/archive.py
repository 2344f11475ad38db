"""An offline archive: every file that a runtime of one platform needs, in one file that is carried to another machine.

    manifest.json       what it is for, and the sha256 of every file
    wheels/, tools/     the files

A zip without compression, since wheels are compressed. What is read is data from strangers: only names that the
manifest lists are looked at, they are plain names, and every file is believed by its sha256 alone; the packages must be
those of the add-on's own lock, all of them, and torch of its version with what torch's builds bring.

That guards against damage and mistakes, not against malice: an archive is a program. What is in its build of torch is
known to nobody but whoever made it (see `locked.py`), and it runs as soon as it is installed. So it must come from
someone you trust. This module imports nothing beyond the standard library.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import FormatError, InstallError
from ..jobs.schema import from_json, to_json
from ..progress import Cancel, Progress, check
from ..weights.disk import in_gigabytes
from .accelerator import NONE
from .failures import unwritable
from .locked import Lock, Wheel
from .offer import choose_backend
from .platforms import PYTHONS
from .tools import tool_wheels

SCHEMA = 1
MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 4 << 20  # bytes
_BLOCK = 1 << 20  # bytes
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}\.whl")


@dataclass(frozen=True)
class Choice:
    """What one version of Python installs."""

    python: str  # "3.11"
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True)
class Manifest:
    """What an archive holds."""

    schema: int
    platform: str
    backend: str
    lock: str  # id
    choices: tuple[Choice, ...]
    tools: tuple[Wheel, ...]


def write_archive(
    path: Path, manifest: Manifest, files: Mapping[str, Path], progress: Progress, cancel: Cancel
) -> None:
    """`files`, by the names in `manifest`, as the archive `path`. Raises InstallError, Cancelled."""
    part = path.with_name(f".{path.name}.part")
    tools = {wheel.file for wheel in manifest.tools}
    total = max(sum(file.stat().st_size for file in files.values()), 1)
    done = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry(MANIFEST), json.dumps(to_json(_without_addresses(manifest)), indent=1))
            for name, file in sorted(files.items()):
                with archive.open(_entry(_member(name, name in tools)), "w", force_zip64=True) as target:
                    for block in _blocks(file, cancel):
                        target.write(block)
                        done += len(block)
                        progress("Writing the archive", done / total)
        os.replace(part, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def read_manifest(path: Path, platform: str, lock: Lock) -> Manifest:
    """What the archive `path` holds, if it is one for this platform and lock. Raises InstallError."""
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open(MANIFEST) as file:
                manifest = from_json(Manifest, json.loads(file.read(_LONGEST_MANIFEST)), "manifest")
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    except FileNotFoundError as error:
        raise InstallError(f"{path} is not there: choose the archive that was made for this machine.") from error
    except (
        OSError,
        ValueError,
        KeyError,
        RecursionError,
        EOFError,
        zipfile.BadZipFile,
        FormatError,
        NotImplementedError,
    ) as error:
        raise _damaged(path, repr(error)) from error
    if manifest.schema != SCHEMA or manifest.lock != lock.id:
        raise InstallError(
            f"{path.name} was made for another version of the add-on, so nothing was installed: get the archive of "
            "this version."
        )
    if manifest.platform != platform:
        raise InstallError(
            f"{path.name} is for {manifest.platform}, and this machine is {platform}, so nothing was installed: get "
            "the archive for this machine."
        )
    tools = {wheel.file: wheel.sha256 for wheel in tool_wheels(platform).values()}
    for wheel in _all(manifest):
        member = _member(wheel.file, wheel in manifest.tools)
        if not _PLAIN.fullmatch(wheel.file) or sizes.get(member) != wheel.size:
            raise _damaged(path, f"{wheel.file[:200]!r} of {wheel.size} bytes: {sizes.get(member)}")
    for wheel in manifest.tools:
        if tools.get(wheel.file) != wheel.sha256:
            raise _damaged(path, f"{wheel.file} is no tool of ours")
    choose_backend(manifest.backend, NONE, platform.split("-")[0])
    for choice in manifest.choices:
        if choice.python not in PYTHONS:
            raise _damaged(path, f"Python {choice.python[:200]!r}")
        lock.check_all(choice.wheels, platform, choice.python)
    return manifest


def chosen(path: Path, manifest: Manifest, version: str) -> list[Wheel]:
    """The wheels for a version of Python ("3.11"). Raises InstallError where the archive has none."""
    for choice in manifest.choices:
        if choice.python == version:
            return list(choice.wheels)
    versions = " and ".join(choice.python for choice in manifest.choices)
    raise InstallError(
        f"{path.name} is for Python {versions}, and this Blender has {version}, so nothing was installed: get an "
        f"archive that was made for Python {version}."
    )


def unpack(
    path: Path, wheels: Sequence[Wheel], folder: Path, progress: Progress, cancel: Cancel, *, tools: bool = False
) -> dict[str, Path]:
    """`wheels` of a manifest, or its tools, in `folder`, each checked: name to path. Raises InstallError, Cancelled."""
    total, done = max(sum(wheel.size for wheel in wheels), 1), 0
    paths: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path) as archive:
            for wheel in wheels:
                part, digest = folder / f"{wheel.file}.part", hashlib.sha256()
                with archive.open(_member(wheel.file, tools)) as source, part.open("wb") as file:
                    while block := source.read(_BLOCK):
                        check(cancel)
                        digest.update(block)
                        file.write(block)
                        done += len(block)
                        progress(f"Reading the archive, {in_gigabytes(total)}", min(done / total, 1.0))
                if digest.hexdigest() != wheel.sha256:
                    part.unlink()
                    raise _damaged(path, f"{wheel.file} has another sha256")
                paths[wheel.file] = folder / wheel.file
                os.replace(part, paths[wheel.file])
    except (zipfile.BadZipFile, KeyError, EOFError, ValueError, NotImplementedError) as error:
        raise _damaged(path, repr(error)) from error
    except OSError as error:
        raise unwritable(folder, error) from error
    return paths


def _all(manifest: Manifest) -> list[Wheel]:
    return [*(wheel for choice in manifest.choices for wheel in choice.wheels), *manifest.tools]


def _without_addresses(manifest: Manifest) -> Manifest:
    """An index may be private, and its address hold a password."""
    choices = tuple(
        replace(choice, wheels=tuple(replace(wheel, url="") for wheel in choice.wheels)) for choice in manifest.choices
    )
    return replace(manifest, choices=choices, tools=tuple(replace(wheel, url="") for wheel in manifest.tools))


def _member(file: str, tool: bool) -> str:
    return f"{'tools' if tool else 'wheels'}/{file}"


def _entry(name: str) -> zipfile.ZipInfo:
    """Always of the same date, so that the same files make the same archive."""
    return zipfile.ZipInfo(name)


def _blocks(path: Path, cancel: Cancel) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            check(cancel)
            yield block


def _damaged(path: Path, detail: str) -> InstallError:
    return InstallError(
        f"{path.name} is damaged or no archive of a runtime, so nothing was installed: copy or make it again.", detail
    )
