"""Which files are taken for photos and clips, and in which order: what Blender's side and the worker must agree on.

This module imports nothing beyond the standard library.
"""

import re
from collections.abc import Iterable
from pathlib import Path

EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"})
CLIP_EXTENSIONS = frozenset(
    {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp", ".mxf", ".wmv", ".ogv"}
)


MASK_ENDING = ".mask.png"
MASKS_FOLDER = "masks"


def is_named_mask(file: Path) -> bool:
    """Whether `file` belongs to the photo beside it, by its name, and is none itself. See photos.masks."""
    return file.name.casefold().endswith(MASK_ENDING)


def is_mask(file: Path) -> bool:
    """Whether `file` belongs to a photo, by its name or its folder's."""
    return is_named_mask(file) or file.parent.name == MASKS_FOLDER


def is_clip(file: Path) -> bool:
    """Whether `file` is a clip by its name."""
    return file.suffix.lower() in CLIP_EXTENSIONS


def is_photo_or_clip(file: Path) -> bool:
    """Whether `file`, found in a folder, is one of the artist's by its name; hidden files and masks are not."""
    known = (file.suffix.lower() in EXTENSIONS or is_clip(file)) and not is_named_mask(file)
    dangling = file.is_symlink() and not file.exists()  # is one of them, and is to be missed by name
    return known and not file.name.startswith(".") and (file.is_file() or dangling)


def photos_in(folder: Path) -> list[Path]:
    """The photos and clips directly in `folder`, absolute, in natural order. Raises OSError where it cannot be read.

    A clip with a photo of the same name beside it (IMG_1.JPG, IMG_1.MOV) is a phone's live photo, and no clip to use.
    """
    files = [file.absolute() for file in folder.iterdir()]
    return sorted(filter(is_photo_or_clip, _without_live_clips(files)), key=natural_key)


def _without_live_clips(files: Iterable[Path]) -> list[Path]:
    listed = list(files)
    photos = {file.stem.casefold() for file in listed if file.suffix.lower() in EXTENSIONS}
    return [file for file in listed if not (is_clip(file) and file.stem.casefold() in photos)]


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sorting key under which "photo 9" comes before "photo 10", whatever the case of letters."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts], str(path)
