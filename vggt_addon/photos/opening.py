"""Opening photo files: the formats that are read, and one sentence for whatever goes wrong.

This module imports Pillow beyond the standard library, and pillow-heif where a file needs it.
"""

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from ..errors import PhotoError
from .exif import DAMAGED

MAX_PIXELS = 400_000_000  # beyond any camera; a small file that claims more is an attack on memory
UNSUSPICIOUS = 20_000_000  # pixels: what memory there is for every photo, whatever its file is like
_MOST_PER_BYTE = 1000  # pixels of a larger one in each byte of its file; photos have less than 100
MIN_SIDE = 16  # pixels: nothing can be matched in less
KINDS = "JPEG, PNG, WebP, TIFF, HEIC or AVIF"
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own guard would refuse large but honest photos at 179 megapixels
warnings.filterwarnings("ignore", module=r"PIL\.")  # it warns of odd metadata; what matters is checked here
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mrw", ".nef", ".nrw"}
    | {".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)  # many are TIFFs, of which Pillow would take the small picture that they begin with
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"8BPS": "a Photoshop file", b"%PDF": "a PDF", b"v/1\x01": "an EXR"}
_OTHERS |= {b"\xff\x0a": "a JPEG XL", b"\0\0\0\x0cJXL ": "a JPEG XL", b"\0\0\0\x0cjP  ": "a JPEG 2000"}


@contextmanager
def opened(path: Path, *, drawn_for: int = 0) -> Iterator[Image.Image]:
    """The photo at `path`, its pixels not read yet. Raises PhotoError, also for what goes wrong in the body.

    `drawn_for`: pixels of a photo that the picture was drawn for, which it may have whatever its file's length is.
    """
    try:
        # As a file and not by its name: by that, Pillow maps uncompressed TIFFs, and then with the sides that a turned
        # one has after it was turned, which shears the picture.
        with path.open("rb") as file:
            formats = _formats(file, path)
            with Image.open(file, formats=formats) as image:
                _check_size(*image.size, os.fstat(file.fileno()).st_size, path.name, drawn_for)
                yield image
    except FileNotFoundError as error:
        if path.is_symlink():
            raise PhotoError(f"{path.name} is a link to a file that is not there.", repr(error)) from error
        raise PhotoError(f"{path} does not exist any more.", repr(error)) from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read: check the file's permissions.", repr(error)) from error
    except UnidentifiedImageError as error:
        raise PhotoError(f"{path.name} is not a {KINDS} picture, or is damaged.", repr(error)) from error
    except Image.DecompressionBombError as error:
        raise PhotoError(f"{path.name} claims more pixels than any photo has.", repr(error)) from error
    except (*DAMAGED, MemoryError, RuntimeError) as error:
        if path.is_symlink() and not path.exists():  # in a circle
            raise PhotoError(f"{path.name} is a link to a file that is not there.", repr(error)) from error
        raise PhotoError(f"{path.name} is damaged and cannot be read: export it again.", repr(error)) from error


def _check_size(width: int, height: int, length: int, name: str, drawn_for: int) -> None:
    """Raises PhotoError where no photo has so many or so few pixels, or not in a file of `length` bytes."""
    if width * height > min(MAX_PIXELS, max(UNSUSPICIOUS, _MOST_PER_BYTE * length, drawn_for)):
        raise PhotoError(f"{name} claims {width} x {height} pixels, more than any photo of its kind has.")
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{name} has only {width} x {height} pixels, too few to work with.")


def _formats(file: IO[bytes], path: Path) -> tuple[str, ...]:
    """Those that the file, which is at its beginning, may have. Raises PhotoError where it is known not to be read."""
    begin = file.read(12)
    file.seek(0)
    if not begin:
        raise PhotoError(f"{path.name} is empty: copy it from the camera again.")
    if path.suffix.lower() in _RAW:
        raise PhotoError(f"{path.name} is a camera's raw file: develop it, and export it as JPEG or 16-bit TIFF.")
    other = next((kind for magic, kind in _OTHERS.items() if begin.startswith(magic)), None)
    if other:
        raise PhotoError(f"{path.name} is {other}, not a {KINDS} picture: export it as one of these.")
    if begin[4:8] == b"ftyp" and begin[8:12] in _HEIF_BRANDS:
        _register_heif(path.name)
        return (*_FORMATS, "HEIF")
    return _FORMATS


def _register_heif(name: str) -> None:
    """Let Pillow read HEIC. Raises PhotoError where the library is missing: other photos go on without it."""
    try:
        _import_heif()
    except ImportError as error:
        sentence = f"{name} is a HEIC photo, and pillow-heif, which reads these, is not installed or does not run here"
        raise PhotoError(f"{sentence}: export it as JPEG, or install the extension again.", repr(error)) from error


@functools.cache
def _import_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
