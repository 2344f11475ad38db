"""Pictures that are made because Blender cannot show the photo file itself.

This module imports Pillow, numpy and the standard library.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .photo import Photo

_LONGEST_NAME = 200  # bytes: file systems take 255, and whoever saves the copy may need to add a number
_QUALITY = 95  # JPEG: beyond it files grow and nobody sees why


def needs_copy(photo: Photo, longest: int) -> bool:
    """Whether Blender is to show a copy: of a file that it cannot show as it is, or of one longer than `longest`.

    `longest` is in pixels of the long side; 0: as large as photos are.
    """
    return not photo.shown_as_is or 0 < longest < photo.long_side


def write_upright_copy(pixels: NDArray[np.uint8], name: str, folder: Path, longest: int = 0) -> Path:
    """(h, w, 3) sRGB pixels, upright, as a JPEG named after the photo `name` in `folder`, which is made.

    What is longer than `longest` pixels becomes that long; 0: whatever there is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _copy_name(name)
    picture = Image.fromarray(pixels)
    if 0 < longest < max(picture.size):
        share = longest / max(picture.size)
        width, height = (max(round(side * share), 1) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture.save(path, quality=_QUALITY, subsampling=0)
    return path


def _copy_name(name: str) -> str:
    """The photo's name, as a JPEG's, and not too long."""
    stem = name[:-4] if name.lower().endswith(".jpg") else name
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return f"{stem}{name[-4:]}" if name.lower().endswith(".jpg") else f"{stem}.jpg"
