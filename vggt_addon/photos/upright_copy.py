"""Pictures that are made because Blender cannot show the photo file itself.

This module imports Pillow, numpy and the standard library.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LONGEST_NAME = 200  # bytes: file systems take 255, and whoever saves the copy may need to add a number
_QUALITY = 95  # JPEG: beyond it files grow and nobody sees why


def write_upright_copy(pixels: NDArray[np.uint8], name: str, folder: Path) -> Path:
    """(h, w, 3) sRGB pixels, upright, as a JPEG named after the photo `name` in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _copy_name(name)
    Image.fromarray(pixels).save(path, quality=_QUALITY, subsampling=0)
    return path


def _copy_name(name: str) -> str:
    """The photo's name, as a JPEG's, and not too long."""
    stem = name[:-4] if name.lower().endswith(".jpg") else name
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return f"{stem}{name[-4:]}" if name.lower().endswith(".jpg") else f"{stem}.jpg"
