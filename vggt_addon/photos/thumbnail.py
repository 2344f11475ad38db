"""A small picture of a photo or clip, for lists.

This module imports Pillow beyond the standard library, and PyAV where there is a clip.
"""

import os
import tempfile
from pathlib import Path

from PIL import Image

from .clip import Clip
from .photo import Photo
from .read import decode


def write_thumbnail(photo: Photo, path: Path, long_side: int = 256) -> None:
    """The photo as a PNG, upright, 8-bit sRGB, at most `long_side` pixels on its longer side.

    Its folder is there. `path` holds a whole file or none: it is written under another name, then renamed. A JPEG is
    decoded small, which takes milliseconds whatever its size. Raises PhotoError where the photo is damaged or has
    changed, OSError where `path` cannot be written.
    """
    _write(Image.fromarray(decode(photo, at_least=long_side, to_the_pixel=False)), path, long_side)


def write_clip_thumbnail(clip: Clip, path: Path, long_side: int = 256) -> None:
    """The clip's first frame as `write_thumbnail` writes a photo. Raises PhotoError where it is gone."""
    from .clip_picture import UprightPictures
    from .clip_reader import first_frame

    _, frame = first_frame(clip.path)
    _write(Image.fromarray(UprightPictures(clip).pixels(frame)), path, long_side)


def _write(image: Image.Image, path: Path, long_side: int) -> None:
    image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".png", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            image.save(file, "PNG")
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
