"""Which files are taken for photos, and in which order: what Blender's side and the worker must agree on.

This module imports nothing beyond the standard library.
"""

import re
from pathlib import Path

EXTENSIONS = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff"})


def is_photo(file: Path) -> bool:
    """Whether `file`, found in a folder, is one of the artist's photos by its name; hidden files are not."""
    return file.suffix.lower() in EXTENSIONS and not file.name.startswith(".") and file.is_file()


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in `folder`, absolute, in natural order. Raises OSError where it cannot be read."""
    return sorted((file.absolute() for file in folder.iterdir() if is_photo(file)), key=natural_key)


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sorting key under which "photo 9" comes before "photo 10", whatever the case of letters."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts], str(path)
