"""The picture of each placed photo: what Blender will show, and its small copy on the depth grid.

This module imports nothing beyond the standard library, numpy, Pillow and OpenCV.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...geometry.projection import scale_pixels
from ...geometry.raster import Raster
from ...photos.read import decode
from ...photos.upright_copy import needs_copy, write_upright_copy
from .cameras import PlacedPhoto
from .undistort import WORTH_UNDISTORTING, undistort


def make_picture(view: PlacedPhoto, raster: Raster, folder: Path, longest: int = 0) -> tuple[Path, NDArray[np.uint8]]:
    """The file to show and the (h, w, 3) uint8 sRGB colours of the depth grid, without distortion.

    The original file is named where it can be shown as it is; otherwise an upright, straightened 8-bit sRGB copy is
    written into `folder`, this photo's own, under the photo's name; also where the photo is longer than `longest`
    pixels (0: never), which the copy then is.
    """
    photo = view.photo
    straighten = view.lens.corner_displacement >= WORTH_UNDISTORTING
    copied = straighten or needs_copy(photo, longest)
    # Twice the grid is enough to average from where no copy at full size is to be written.
    enough = 2 * max(raster.width, raster.height)
    pixels = decode(photo, at_least=(max(longest, enough) if longest else None) if copied else enough)
    ratio = pixels.shape[1] / photo.width
    if straighten:
        pixels = undistort(pixels, scale_pixels(ratio, ratio) @ view.intrinsics, view.distortion)
    picture = Image.fromarray(pixels)
    path = photo.path
    if copied:
        path = write_upright_copy(pixels, photo.name, folder, longest)
    left, top, right, bottom = (edge * ratio for edge in raster.box)
    box = (max(left, 0.0), max(top, 0.0), min(right, float(picture.width)), min(bottom, float(picture.height)))
    # A plain area average: it neither rings nor shifts, so a patch of one colour keeps that colour.
    color = picture.resize((raster.width, raster.height), Image.Resampling.BOX, box=box)
    return path, np.asarray(color, np.uint8)
