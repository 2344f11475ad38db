"""Opening photo files: what they are, and their pixels, upright and in sRGB.

This module imports Pillow and numpy beyond the standard library.
"""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from ..errors import PhotoError
from .exif import DAMAGED, read_exif
from .photo import Photo

MAX_PIXELS = 400_000_000  # beyond any camera; a small file that claims more is an attack on memory
MIN_SIDE = 16  # pixels: nothing can be matched in less
_BLENDER_READS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # MPO: a JPEG with a second picture behind the first
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own guard would refuse large but honest photos at 179 megapixels
warnings.filterwarnings("ignore", module=r"PIL\.")  # it warns of odd metadata; what matters is checked here
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation; not exif_transpose, which also writes EXIF anew and fails where it is damaged
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


def probe(path: Path) -> Photo:
    """What `path` is, from its header and its bytes' hash. Raises PhotoError where it is no photo that can be read."""
    with _opened(path) as image:
        # Pillow calls 16-bit colour RGB and drops the lower half; how it is stored is forgotten once it is loaded.
        deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
        facts = read_exif(image)
        width, height = image.size
        if facts.orientation >= 5 and image.format != "TIFF":  # Pillow itself turns TIFFs, their size included
            width, height = height, width
        shown_as_is = facts.orientation == 1 and not deep and _is_plain(image)
    return Photo(
        path=path,
        name=path.name,
        sha256=file_sha256(path),
        width=width,
        height=height,
        orientation=facts.orientation,
        focal_prior=facts.focal_prior,
        lens=facts.lens,
        shown_as_is=shown_as_is,
    )


def _is_plain(image: Image.Image) -> bool:
    """One opaque sRGB picture in a format that Blender reads."""
    animated = getattr(image, "is_animated", False) and image.format != "MPO"
    plain_format = image.format in _BLENDER_READS and image.mode in ("RGB", "L")
    return plain_format and not animated and "transparency" not in image.info and _is_srgb(image)


def decode(photo: Photo, at_least: int | None = None, *, to_the_pixel: bool = True) -> NDArray[np.uint8]:
    """The photo's pixels: (height, width, 3) uint8 sRGB, upright. Transparent parts are white.

    White for every engine and for what Blender shows: VGGT was trained on pictures laid on white, and a cut-out on a
    page is on white, too. What is cut out is told by `opacity`, whatever it is laid on.

    With `at_least`, a smaller picture may come back (by a whole factor exactly, long side >= `at_least`), which a JPEG
    gives for a fraction of the cost; unless `to_the_pixel`, its last pixels may reach beyond the photo. Raises
    PhotoError where the file has changed or is damaged.
    """
    with _opened(photo.path) as image:
        if at_least is not None:
            _shrink_while_decoding(image, at_least, to_the_pixel)
        pixels = np.asarray(_to_srgb(_turned(image, photo)), dtype=np.uint8)
    aspect = pixels.shape[1] / pixels.shape[0] / (photo.width / photo.height)
    if not 0.98 < aspect < 1.02 and min(pixels.shape[:2]) > MIN_SIDE:
        raise PhotoError(f"{photo.name} has changed while it was in use: add it again.")
    return pixels


def opacity(photo: Photo) -> NDArray[np.uint8] | None:
    """(height, width) uint8, upright: 0 where the photo shows nothing, 255 where it hides what is behind.

    None where `decode` knows of no transparency. Raises PhotoError as that does.
    """
    with _opened(photo.path) as image:
        if _is_deep(image) or not _is_transparent(image):
            return None
        return np.asarray(_turned(image, photo).convert("RGBA").getchannel("A"), dtype=np.uint8)


def _turned(image: Image.Image, photo: Photo) -> Image.Image:
    """Upright."""
    turn = None if image.format == "TIFF" else TURNS.get(photo.orientation)  # Pillow itself turns TIFFs
    return image if turn is None else image.transpose(turn)


def _shrink_while_decoding(image: Image.Image, at_least: int, to_the_pixel: bool) -> None:
    """Let a JPEG decode itself at 1/8, 1/4 or 1/2, the smallest that has `at_least` pixels on its long side.

    With `to_the_pixel` only by a factor that divides both sides: else the last pixels reach beyond the photo, and
    everything would be up to a pixel from where its size says.
    """
    width, height = image.size
    for factor in (8, 4, 2):
        whole = width % factor == 0 and height % factor == 0
        if (whole or not to_the_pixel) and max(width, height) >= factor * at_least:
            image.draft("RGB", (width // factor, height // factor))
            return


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open, and turn whatever goes wrong inside into one sentence."""
    try:
        # As a file and not by its name: by that, Pillow maps uncompressed TIFFs, and then with the sides that a turned
        # one has after it was turned, which shears the picture.
        with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PhotoError(f"{path.name} claims {width} x {height} pixels, more than any photo has.")
            if min(width, height) < MIN_SIDE:
                raise PhotoError(f"{path.name} has only {width} x {height} pixels, too few to work with.")
            yield image
    except FileNotFoundError as error:
        raise PhotoError(f"{path} does not exist any more.", repr(error)) from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read: check the file's permissions.", repr(error)) from error
    except UnidentifiedImageError as error:
        kinds = "JPEG, PNG, WebP or TIFF"
        raise PhotoError(f"{path.name} is not a {kinds} picture, or is damaged.", repr(error)) from error
    except (*DAMAGED, MemoryError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{path.name} is damaged and cannot be read: export it again.", repr(error)) from error


def file_sha256(path: Path) -> str:
    """Of the bytes of the file at `path`, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_srgb(image: Image.Image) -> bool:
    """No colour profile, or one that says it is sRGB."""
    profile = image.info.get("icc_profile")
    if not profile:
        return True
    try:
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, TypeError):
        return True  # a profile that nobody can read changes nothing in any other program either
    return "srgb" in description.lower()


def _is_deep(image: Image.Image) -> bool:
    """Greys of 16 bit or floats, which Pillow would clip."""
    return image.mode.startswith(("I", "F"))


def _is_transparent(image: Image.Image) -> bool:
    """Whether pixels may be: a channel for it, or a colour that means it."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _to_srgb(image: Image.Image) -> Image.Image:
    """8-bit RGB in sRGB. Transparent pixels are put on white: see `decode`."""
    if _is_deep(image):
        values = np.asarray(image, dtype=np.float64)
        peak = 65535.0 if image.mode.startswith("I") else max(float(np.nanmax(values)), 1e-9)
        return Image.fromarray(np.uint8(np.clip(np.nan_to_num(values) / peak, 0, 1) * 255 + 0.5)).convert("RGB")
    if _is_transparent(image):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L") and not _is_srgb(image):
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, TypeError):
            converted = None  # the profile does not fit the picture: take the numbers as they are
        if converted is not None:
            return converted
    return image.convert("RGB")
