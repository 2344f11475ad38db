"""From what the artist named (files, folders, patterns) to photo and clip files in natural order.

This module imports nothing beyond the standard library and numpy.
"""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import PhotoError
from ..photo_names import is_mask, is_named_mask, is_photo_or_clip, natural_key, photos_in
from ..reconstruction_files import FILE_NAME


def find_photos(inputs: Iterable[str | Path]) -> list[Path]:
    """Absolute paths of all photos and clips that `inputs` name, each once, in natural order.

    A folder stands for those directly in it; a pattern (`*`, `?`, `[...]`) for what it matches; a file for itself,
    whatever its extension. Hidden files are passed over in folders, masks (`IMG_1.mask.png`) everywhere. Raises
    PhotoError where a name leads nowhere or nothing is found at all.
    """
    found: dict[Path, None] = {}
    named = [str(name) for name in inputs]
    for name in named:
        found.update(dict.fromkeys(_expand(name)))
    if not found:
        where = ", ".join(named) or "an empty list"
        inner = next((folder for name in named for folder in _folders_with_photos(name)), None)
        advice = f"give {inner}, which has some" if inner else "give JPEG, HEIC, PNG or TIFF files, a clip or a folder"
        raise PhotoError(f"No photos were found in {where}: {advice}.")
    return sorted(found, key=natural_key)


def find_each(inputs: Iterable[str | Path]) -> tuple[list[Path], dict[str, str]]:
    """`find_photos` where a name that leads nowhere keeps none of the others from being found.

    Returns the photos of all the names, and a sentence for each name that leads nowhere: files are moved away between
    the moment in which they are chosen and the run.
    """
    found: dict[Path, None] = {}
    nowhere: dict[str, str] = {}
    for name in inputs:
        if is_named_mask(Path(name)) and Path(name).is_file():
            continue  # chosen together with its photo, with which it is found
        try:
            found.update(dict.fromkeys(find_photos([name])))
        except PhotoError as error:
            nowhere[str(name)] = error.sentence
    return sorted(found, key=natural_key), nowhere


def _expand(name: str) -> list[Path]:
    if not name:
        raise PhotoError("One of the names given for photos is empty: give files or a folder.")
    try:
        path = Path(name)
        if not path.exists():
            path = Path(os.path.expanduser(name))  # noqa: PTH111 - leaves a ~ that is nobody's home as it is
        if path.is_dir():
            return photos_in(path)
        if path.is_file():
            return [] if is_named_mask(path) else [path.absolute()]
        if path.exists():
            raise PhotoError(f"{name} is neither a file nor a folder: give photos, or a folder of photos.")
        if glob.has_magic(name):
            matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - may be absolute
            return [match.absolute() for match in matches if is_photo_or_clip(match) and not _is_of_another(match)]
    except OSError as error:
        raise PhotoError(f"{name} cannot be read: {error.strerror}.", repr(error)) from error
    raise PhotoError(f"{name} does not exist: check the name, or drop the photos again.")


def _folders_with_photos(name: str) -> list[Path]:
    """Folders directly in the folder `name` that hold photos, in natural order."""
    try:
        folders = [folder for folder in Path(name).iterdir() if folder.is_dir()] if Path(name).is_dir() else []
        return sorted((folder for folder in folders if any(map(is_photo_or_clip, folder.iterdir()))), key=natural_key)
    except OSError:
        return []  # a folder that may not be looked into is no advice


def _is_of_another(file: Path) -> bool:
    """Whether `file` is a mask, or an earlier run made it: a pattern like `**/*.jpg` reaches both among the photos."""
    return is_mask(file) or (file.parent.name == "photos" and (file.parent.parent / FILE_NAME).is_file())
