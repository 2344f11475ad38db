"""The picture of each placed photo: what Blender will show, and its small copy on the depth grid.

This module imports nothing beyond the standard library, numpy, Pillow and OpenCV.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...geometry.projection import scale_pixels
from ...geometry.raster import Raster
from ...photos.masks import mask, mask_in
from ...photos.read import decode
from ...photos.upright_copy import needs_copy, write_upright_copy
from .cameras import PlacedPhoto
from .undistort import WORTH_UNDISTORTING, undistort


@dataclass(frozen=True)
class MadePicture:
    """What Blender shows of a photo, and what the depth stage sees of it, both without distortion."""

    path: Path  # the file to show
    color: NDArray[np.uint8]  # (h, w, 3) sRGB, the photo at the depth grid's pixels
    mask: NDArray[np.bool_] | None  # (h, w) where these belong to the scene; None: all do


def make_picture(view: PlacedPhoto, raster: Raster, folder: Path, longest: int = 0) -> MadePicture:
    """The picture of one placed photo.

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
    if straighten:
        ratio = pixels.shape[1] / photo.width
        pixels = undistort(pixels, scale_pixels(ratio, ratio) @ view.intrinsics, view.distortion)
    path = write_upright_copy(pixels, photo.name, folder, longest) if copied else photo.path
    color = _small(pixels, pixels.shape[1] / photo.width, raster)
    del pixels  # the mask may be as large
    return MadePicture(path, color, _mask(view, raster, straighten))


def _small(pixels: NDArray[np.uint8], ratio: float, raster: Raster) -> NDArray[np.uint8]:
    """The photo at the raster's pixels, from a picture of it that is `ratio` as large."""
    picture = Image.fromarray(pixels)
    left, top, right, bottom = (edge * ratio for edge in raster.box)
    box = (max(left, 0.0), max(top, 0.0), min(right, float(picture.width)), min(bottom, float(picture.height)))
    # A plain area average: it neither rings nor shifts, so a patch of one colour keeps that colour.
    return np.asarray(picture.resize((raster.width, raster.height), Image.Resampling.BOX, box=box), np.uint8)


def _mask(view: PlacedPhoto, raster: Raster, straighten: bool) -> NDArray[np.bool_] | None:
    used = mask(view.photo)
    if used is None:
        return None
    if straighten:
        used = undistort(used, view.intrinsics, view.distortion)
    return mask_in(used, raster.box, (raster.width, raster.height))
