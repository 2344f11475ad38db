"""Opened pictures turned upright and converted strip by strip.

Beside Pillow's own copy of a picture, of 4 bytes a pixel, memory is needed for the result only, however the picture is
stored and turned. How many photos are open side by side is decided here, too.
This module imports Pillow and numpy beyond the standard library.
"""

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .photo import Photo

PIXELS_AT_ONCE = 150_000_000  # of the photos open side by side; a pixel costs up to 11 bytes until its copy is written
_STRIP_PIXELS = 1_000_000
_TURNED_BY_ITSELF = ("TIFF", "HEIF")  # formats that Pillow or pillow-heif turns upright, sizes included
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation; not exif_transpose, which also writes EXIF anew and fails where it is damaged
_FROM_THE_END = (3, 4, 6, 7)  # orientations that put the first stored row last, as a row or column


def threads(asked: int = 0) -> int:
    """How many photos are worked on at once: as many as asked for, else one per core and at most 8.

    Pillow, numpy and OpenCV release the interpreter while they compute; beyond 8 photos at once memory is what lacks.
    """
    return asked or max(1, min(8, os.cpu_count() or 1))


def open_at_once(photos: Iterable[Photo], asked: int = 0) -> int:
    """How many of `photos` are open at once, `asked` for (0: see `threads`): fewer where photos are huge."""
    largest = max((photo.width * photo.height for photo in photos), default=1)
    return max(1, min(threads(asked), PIXELS_AT_ONCE // largest))


def orientation_left(image: Image.Image, orientation: int) -> int:
    """What is left of EXIF's `orientation` to be done on the opened `image`: 1 if its format is turned by itself."""
    return 1 if image.format in _TURNED_BY_ITSELF else orientation


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The opened `image` in pieces of full width, each with its first row's number."""
    image.load()  # a TIFF is turned by this
    width, height = image.size
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        yield top, image.crop((0, top, width, min(height, top + step)))


def upright_pixels(
    image: Image.Image, orientation: int, convert: Callable[[Image.Image], Image.Image]
) -> NDArray[np.uint8]:
    """What `convert` makes of the opened `image`, turned as EXIF's `orientation` says: (h, w, 3), or (h, w) for greys.

    `convert` is given strips, and so must look at each pixel by itself; it answers in mode RGB or L.
    """
    orientation = orientation_left(image, orientation)
    result = np.empty(0, np.uint8)
    for top, strip in strips(image):
        converted = convert(strip)
        if not result.size:
            width, height = image.size if orientation < 5 else image.size[::-1]
            result = np.empty((height, width, 3) if converted.mode == "RGB" else (height, width), np.uint8)
        if orientation != 1:
            converted = converted.transpose(TURNS[orientation])
        begin, end = top, top + strip.height
        if orientation in _FROM_THE_END:
            begin, end = image.height - end, image.height - begin
        where = (slice(begin, end),) if orientation < 5 else (slice(None), slice(begin, end))
        result[where] = np.asarray(converted)
    return result


def largest_value(image: Image.Image) -> float:
    """The largest finite one of an opened `image` of one channel; 0 where all are negative."""
    largest = 0.0
    for _, strip in strips(image):
        values = np.asarray(strip, np.float32)
        largest = max(largest, float(values.max(initial=0.0, where=np.isfinite(values))))
    return largest
