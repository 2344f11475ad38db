"""Photos as Blender images.

This module imports nothing beyond the standard library, bpy and the room's neighbour reconstruction.
"""

import re
from pathlib import Path

import bpy

from ..reconstruction import View
from .datablocks import claim, datablock_name

COLOR_SPACE = "sRGB"
PICTURE = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF....WEBP|II[*+]\0|MM\0[*+]", re.DOTALL)  # how those we show begin


def load_photo(view: View) -> tuple[bpy.types.Image, str | None]:
    """The picture of `view`, and a sentence for the artist where its file is missing or no picture.

    An image already in the file is shared. A missing file still becomes an image, empty, with the path it should have,
    so that Blender's own "Find Missing Files" can mend it. The path is relative once the .blend has a place.
    """
    path = view.photo.absolute()
    if not path.is_file():
        image = claim(bpy.data.images.new(datablock_name(view.photo.name), 1, 1))
        image.source = "FILE"
        image.filepath = blend_path(path)
        return image, f"The photo {view.photo.name} is missing: {path} was moved or deleted. Its camera has no picture."
    image = _loaded(path) or claim(bpy.data.images.load(str(path)))
    image.filepath = blend_path(path)
    image.colorspace_settings.name = COLOR_SPACE
    if not _is_picture(path):
        return image, f"The photo {view.photo.name} cannot be shown: {path} is not a JPEG, PNG, WebP or TIFF picture."
    return image, None


def blend_path(path: Path) -> str:
    """`path` as the .blend should name it: relative ("//...") where the .blend is saved and on the same drive."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return str(bpy.path.relpath(str(path)))
    except ValueError:  # another drive on Windows
        return str(path)


def refer_to(old: Path, new: Path) -> None:
    """Pictures in the folder `old` become those of the same place in `new`; nothing is read again."""
    for image in bpy.data.images:
        path = Path(bpy.path.abspath(image.filepath)) if image.source == "FILE" and image.filepath else None
        if path is not None and path.is_relative_to(old):
            image.filepath_raw = blend_path(new / path.relative_to(old))


def pack(images: list[bpy.types.Image]) -> None:
    """Put the pictures themselves into the .blend; others stay references.

    A file that is no picture is one of those: a capture made by somebody else must not carry the artist's private
    files into a .blend that is passed on.
    """
    for image in images:
        if image.packed_file is None and _is_picture(Path(bpy.path.abspath(image.filepath))):
            image.pack()


def _is_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return PICTURE.match(file.read(12)) is not None


def _loaded(path: Path) -> bpy.types.Image | None:
    for image in bpy.data.images:
        if image.source == "FILE" and image.colorspace_settings.name == COLOR_SPACE and image.library is None:
            known = bpy.path.abspath(image.filepath)
            if known and Path(known) == path:
                return image
    return None
