"""Photos as Blender images.

This module imports nothing beyond the standard library, bpy and the room's neighbour reconstruction.
"""

from pathlib import Path

import bpy

from ..reconstruction import View

COLOR_SPACE = "sRGB"


def load_photo(view: View) -> tuple[bpy.types.Image, str | None]:
    """The picture of `view`, and a sentence for the artist where its file is missing.

    An image already in the file is shared. A missing file still becomes an image, empty, with the path it should have,
    so that Blender's own "Find Missing Files" can mend it. The path is relative once the .blend has a place.
    """
    path = view.photo.absolute()
    if not path.is_file():
        image = bpy.data.images.new(view.photo.name, 1, 1)
        image.source = "FILE"
        image.filepath = blend_path(path)
        return image, f"The photo {view.photo.name} is missing: {path} was moved or deleted. Its camera has no picture."
    image = _loaded(path) or bpy.data.images.load(str(path))
    image.filepath = blend_path(path)
    image.colorspace_settings.name = COLOR_SPACE
    return image, None


def blend_path(path: Path) -> str:
    """`path` as the .blend should name it: relative ("//...") where the .blend is saved and on the same drive."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return str(bpy.path.relpath(str(path)))
    except ValueError:  # another drive on Windows
        return str(path)


def pack(images: list[bpy.types.Image]) -> None:
    """Put the pictures themselves into the .blend; those whose file is missing stay references."""
    for image in images:
        if image.packed_file is None and Path(bpy.path.abspath(image.filepath)).is_file():
            image.pack()


def _loaded(path: Path) -> bpy.types.Image | None:
    for image in bpy.data.images:
        if image.source == "FILE" and image.colorspace_settings.name == COLOR_SPACE and image.library is None:
            known = bpy.path.abspath(image.filepath)
            if known and Path(known) == path:
                return image
    return None
