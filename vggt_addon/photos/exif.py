"""What EXIF says that matters here: which way is up, and how long the lens is.

EXIF is written by many hands: every value is checked, and a senseless one counts as absent.
This module imports Pillow beyond the standard library.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image

from .photo import FocalPrior
from .sensors import sensor_width

# What Pillow raises where a file is not as its format says.
DAMAGED = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, ArithmeticError, EOFError, struct.error)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # FocalPlaneResolutionUnit: inch, cm, mm, micrometre
# PNG's chunks that may hold EXIF or the orientation, and what the text among them begins with.
_TELLING = (b"eXIf", b"iTXtXML:com.adobe.xmp\0", b"tEXtRaw profile type exif\0", b"zTXtRaw profile type exif\0")
_LONGEST_TELLING = 22  # bytes of these beginnings
_MOST_CHUNKS = 100_000  # programs write one for every 8 kB of pixels
_FILM_WIDTH = 36.0  # mm: the long side of the frame that "35 mm equivalent" refers to
_ALIKE = 0.08  # relative: equivalents are whole millimetres, and some makers count along the diagonal


@dataclass(frozen=True)
class ExifFacts:
    """What a file's EXIF block says, with senseless values dropped."""

    orientation: int  # 1..8
    focal_prior: FocalPrior | None
    lens: str


def read_exif(image: Image.Image) -> ExifFacts:
    """Orientation, focal prior and lens of an opened image; `image.size` is the stored, not the upright, size."""
    try:
        main = exif_block(image)
        camera = main.get_ifd(ExifTags.IFD.Exif)
    except DAMAGED:
        return ExifFacts(1, None, "")  # a damaged EXIF block does not make a damaged photo
    orientation = main.get(ExifTags.Base.Orientation, 1)
    return ExifFacts(
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        focal_prior=_focal_prior(main, camera, image.size),
        lens=_lens(main, camera),
    )


def exif_block(image: Image.Image) -> Image.Exif:
    """Of the opened image, whose pixels are not decoded for it. Raises one of DAMAGED."""
    if image.format != "PNG" or "exif" in image.info or _says_more_behind_the_pixels(image):
        return image.getexif()
    return Image.Image.getexif(image)  # without PNG's own look behind the pixels, which decodes them


def _says_more_behind_the_pixels(image: Image.Image) -> bool:
    """Whether a PNG, read up to its pixels, has EXIF after them, or text in which programs hide it."""
    file = getattr(image, "fp", None)
    if file is None:
        return True  # its pixels are decoded already
    place = file.tell()
    try:
        file.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                return False
            (length,) = struct.unpack_from(">I", head)
            behind, begin = file.tell() > place, head[4:] + file.read(min(length, _LONGEST_TELLING))
            if behind and begin.startswith(_TELLING):
                return True
            file.seek(length + 4 - (len(begin) - 4), 1)
        return True
    finally:
        file.seek(place)


def _number(value: Any) -> float | None:
    """A positive finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _focal_prior(main: Image.Exif, camera: dict[int, Any], size: tuple[int, int]) -> FocalPrior | None:
    """From the 35 mm equivalent, else from millimetres and the sensor's resolution, else from its width by model.

    The equivalent has the digital zoom in it (as makers mean it), unless a known sensor shows that it has not.
    """
    long_side = max(size)
    zoom = max(_number(camera.get(ExifTags.Base.DigitalZoomRatio)) or 1.0, 1.0)
    focal = _number(camera.get(ExifTags.Base.FocalLength))
    width = sensor_width(_text(main, ExifTags.Base.Make), _text(main, ExifTags.Base.Model))
    equivalent = _number(camera.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent is not None:
        unzoomed = focal / width * _FILM_WIDTH if focal and width else None
        if unzoomed is not None and abs(equivalent / unzoomed - 1) < _ALIKE:
            equivalent *= zoom
        return _plausible(equivalent / _FILM_WIDTH * long_side, long_side, "exif 35 mm equivalent")
    if focal is None:
        return None
    resolution = _number(camera.get(ExifTags.Base.FocalPlaneXResolution))
    unit = _MM_PER_UNIT.get(camera.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    if resolution is not None and unit is not None:
        # The resolution refers to the size that the camera stored; the file may have been scaled since.
        stored_width = _number(camera.get(ExifTags.Base.ExifImageWidth)) or size[0]
        stored_height = _number(camera.get(ExifTags.Base.ExifImageHeight)) or size[1]
        pixels = zoom * focal * resolution / unit * long_side / max(stored_width, stored_height)
        return _plausible(pixels, long_side, "exif focal plane resolution")
    if width is not None:
        return _plausible(zoom * focal / width * long_side, long_side, "exif focal length, sensor by model")
    return None


def _text(main: Image.Exif, tag: int) -> str:
    return str(main.get(tag) or "").strip("\x00 ")


def _plausible(pixels: float, long_side: int, source: str) -> FocalPrior | None:
    """Between a 9 mm and a 1000 mm lens on 35 mm film; outside it the tag is wrong more often than the lens is odd."""
    return FocalPrior(pixels, source) if 0.25 * long_side <= pixels <= 28 * long_side else None


def _lens(main: Image.Exif, camera: dict[int, Any]) -> str:
    parts = [main.get(ExifTags.Base.Make), main.get(ExifTags.Base.Model), camera.get(ExifTags.Base.LensModel)]
    focal = _number(camera.get(ExifTags.Base.FocalLength))
    parts.append(f"{focal:g} mm" if focal else None)
    return " ".join(str(part).strip("\x00 ") for part in parts if part)
