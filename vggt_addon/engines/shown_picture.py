"""The picture of a photo that Blender shows, for engines that change nothing in it.

This module imports nothing beyond the standard library; its neighbours import Pillow.
"""

from pathlib import Path

from ..errors import PhotoError
from ..photos.photo import Photo
from ..photos.read import decode
from ..photos.upright_copy import needs_copy, write_upright_copy


def shown_picture(photo: Photo, folder: Path, longest: int) -> Path:
    """The file itself, or an upright copy in `folder`, `longest` pixels at most (0: as it is).

    Raises PhotoError where the file is gone.
    """
    if needs_copy(photo, longest):
        return write_upright_copy(decode(photo, at_least=longest or None), photo.name, folder, longest)
    if not photo.path.is_file():
        raise PhotoError(f"{photo.path} does not exist any more.")
    return photo.path
