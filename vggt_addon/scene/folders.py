"""Folders of captures on disk: named beside a .blend, copied whole, compared, and listed by age.

This module imports nothing beyond the standard library, numpy and its neighbour reconstruction_files.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reconstruction_files import FILE_NAME, OUR_ENTRIES

NOT_IN_A_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]')
NAMES_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows opens these instead
LONGEST_NAME = 80  # characters
LONGEST_ENCODED = 120  # bytes: encrypted disks take 143, and we add to a name
CAPTURE_ID = re.compile(rb'"capture_id": "([^"\\]*)"')
COARSEST_CLOCK = 2.0  # seconds: FAT's
FORGOTTEN_AFTER = 86_400.0  # seconds until a folder that was never completed is nobody's any more


@dataclass(frozen=True)
class Abandoned:
    """A folder that no capture at hand refers to."""

    folder: Path
    days: float  # since it was last written to


def beside(blend: Path) -> Path:
    """The folder that holds the captures of `blend`."""
    return blend.with_name(f"{blend.stem}.captures")


def file_name(name: str) -> str:
    """`name` as every disk takes it."""
    name = NOT_IN_A_NAME.sub("_", name).strip(" .")[:LONGEST_NAME]
    name = name.encode()[:LONGEST_ENCODED].decode("utf-8", "ignore").rstrip(" .") or "capture"
    return f"_{name}" if NAMES_OF_DEVICES.fullmatch(name) else name


def folder_beside(blend: Path, name: str) -> Path:
    """`<blend's stem>.captures/<name>` beside it, made a name that every disk takes, and one that is free yet."""
    name = file_name(name)
    folder, number = beside(blend) / name, 1
    while os.path.lexists(folder):
        number += 1
        folder = beside(blend) / f"{name} {number}"
    return folder


def is_capture(folder: Path) -> bool:
    """Whether a Reconstruction lies in `folder`, by its looks."""
    try:
        return (folder / FILE_NAME).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def capture_id(folder: Path) -> str | None:
    """The id of the capture that lies in `folder`; None where there is none."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            found = CAPTURE_ID.search(file.read(4096))
    except (OSError, ValueError):
        return None
    return found[1].decode("utf-8", "replace") if found else None


def copy_capture(source: Path, target: Path, *, link_pictures: bool) -> Path:
    """Copy the capture in `source` to `target`, which is not there yet, and return that; the copy appears at once.

    Files are hard links where the disk has them: it takes no time or space, each name can be deleted without the
    other, and we never write into an array. Pictures may be painted on in place: `link_pictures` only where the
    source is not to be used any more. Only what a Reconstruction consists of is copied, and no link is followed.
    Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp's 0o700 would lock out the artist's colleagues
        for part in OUR_ENTRIES[1:]:
            for file in _files(source / part):
                (temporary / part).mkdir(exist_ok=True)
                _copy(file, temporary / part / file.name, link=link_pictures or part != "photos")
        (temporary / FILE_NAME).write_bytes(_moved(source, target))
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if not any(target.parent.iterdir()):
            target.parent.rmdir()
        raise
    return target


def same_capture(one: Path, other: Path) -> bool:
    """Whether both folders hold the same Reconstruction: the same description, and arrays of the same size and age."""
    try:
        return _content(one) == _content(other) and _alike(_arrays(one), _arrays(other))
    except (OSError, ValueError, RecursionError):
        return False


def abandoned(user_folder: Path, still_used: Iterable[Path]) -> list[Abandoned]:
    """The captures in `user_folder`, and what was left of making one, that are none of `still_used`: the oldest first.

    Only a list: whether another .blend on this machine refers to one, nobody knows but the artist.
    """
    used = {_on_disk(folder) for folder in still_used}
    found = []
    for folder in user_folder.iterdir() if user_folder.is_dir() else ():
        if folder.is_symlink() or not folder.is_dir() or _on_disk(folder) in used:
            continue
        times = [path.stat().st_mtime for path in (folder, folder / FILE_NAME) if path.exists()]
        age = max(0.0, time.time() - max(times))
        if is_capture(folder) or (folder.name.startswith(".") and age > FORGOTTEN_AFTER):
            found.append(Abandoned(folder, age / 86_400.0))
    return sorted(found, key=lambda one: -one.days)


def _files(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]


def _copy(source: Path, target: Path, *, link: bool) -> None:
    if link:
        try:
            os.link(source, target)
            return
        except (OSError, NotImplementedError):  # another disk, or one without hard links
            pass
    shutil.copy2(source, target)


def _moved(source: Path, target: Path) -> bytes:
    """The description of `source` with its references to photos told from `target`."""
    text = (source / FILE_NAME).read_bytes()
    try:
        document = json.loads(text)
        for view in document["views"]:
            for key in ("original", "photo"):
                if "inside" not in view[key]:
                    view[key] = _reference(view[key], source, target)
    except (ValueError, TypeError, KeyError, RecursionError):
        return text  # not ours to mend: loading it says what is wrong
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _reference(reference: dict[str, Any], source: Path, target: Path) -> dict[str, Any]:
    place = Path(reference["absolute"])
    if reference["relative"] is not None:
        near = Path(os.path.normpath(source / reference["relative"]))
        place = near if near.is_file() else place
    try:
        relative: str | None = Path(os.path.relpath(place, target)).as_posix()
    except ValueError:  # another drive on Windows
        relative = None
    return {"relative": relative, "absolute": str(place)}


def _content(folder: Path) -> Any:
    """The description without what depends on where the folder lies."""
    document = json.loads((folder / FILE_NAME).read_bytes())
    for view in document["views"] if isinstance(document, dict) and isinstance(document.get("views"), list) else ():
        if isinstance(view, dict):
            view.pop("original", None)
            view.pop("photo", None)
    return document


def _arrays(folder: Path) -> dict[str, os.stat_result]:
    return {file.name: file.stat() for file in _files(folder / "arrays")}


def _alike(one: dict[str, os.stat_result], other: dict[str, os.stat_result]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].st_size == other[name].st_size and abs(one[name].st_mtime - other[name].st_mtime) <= COARSEST_CLOCK
        for name in one
    )


def _on_disk(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
