"""Photo files: what they are, and their pixels, upright and in sRGB.

This module imports Pillow and numpy beyond the standard library.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PhotoError
from .color_space import color_profile, hdr
from .exif import DAMAGED, read_exif
from .opening import opened
from .photo import Photo
from .srgb import is_plain, opacity_of, srgb_on_white
from .strips import orientation_left

_BLENDER_READS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # MPO: a JPEG with a second picture behind the first


def probe(path: Path) -> Photo:
    """What `path` is, from its header and its bytes' hash. Raises PhotoError where it is no photo that can be read."""
    stamp = _stamp(path)
    with opened(path) as image:
        pictures = _pictures(image)
        plain = image.format in _BLENDER_READS and pictures == 1 and is_plain(image)
        facts = read_exif(image)
        width, height = image.size
        if orientation_left(image, facts.orientation) >= 5:
            width, height = height, width
        remark = _remark(path.name, pictures, hdr(image))
    return Photo(
        path=path,
        name=path.name,
        sha256=file_sha256(path),
        width=width,
        height=height,
        orientation=facts.orientation,
        focal_prior=facts.focal_prior,
        lens=facts.lens,
        shown_as_is=plain and facts.orientation == 1,
        stamp=stamp,
        remark=remark,
    )


def _pictures(image: Image.Image) -> int:
    """How many the file holds; 1 for an MPO, whose others are a phone's or camera's own (depth, brightness, stereo)."""
    try:
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except DAMAGED:  # behind the first
        return 1


def _remark(name: str, pictures: int, hdr: str) -> str:
    told = []
    if pictures > 1:
        told.append(f"{name} holds {pictures} pictures: only the first was used.")
    if hdr:
        told.append(f"{name} is HDR ({hdr}): it was brought to sRGB, its brightest parts are cut.")
    return " ".join(told)


def decode(photo: Photo, at_least: int | None = None, *, to_the_pixel: bool = True) -> NDArray[np.uint8]:
    """The photo's pixels: (height, width, 3) uint8 sRGB, upright. Transparent parts are white.

    White for every engine and for what Blender shows: VGGT was trained on pictures laid on white, and a cut-out on a
    page is on white, too. What is cut out is told by `opacity`, whatever it is laid on.

    With `at_least`, a smaller picture may come back (by a whole factor exactly, long side >= `at_least`), which a JPEG
    gives for a fraction of the cost; unless `to_the_pixel`, its last pixels may reach beyond the photo. Raises
    PhotoError where the file has changed or is damaged.
    """
    with opened(photo.path) as image:
        profile = color_profile(image)
        factor = 1 if at_least is None else _shrink_while_decoding(image, at_least, to_the_pixel)
        pixels = srgb_on_white(image, photo.orientation, profile)
    _check_unchanged(photo, pixels, factor)
    return pixels


def opacity(photo: Photo) -> NDArray[np.uint8] | None:
    """(height, width) uint8, upright: 0 where the photo shows nothing, 255 where it hides what is behind.

    None where `decode` knows of no transparency. Raises PhotoError as that does.
    """
    with opened(photo.path) as image:
        opaque = opacity_of(image, photo.orientation)
    if opaque is not None:
        _check_unchanged(photo, opaque, 1)
    return opaque


def _check_unchanged(photo: Photo, pixels: NDArray[np.uint8], factor: int) -> None:
    """Raises PhotoError where the file is another one than was looked at, or its pixels are not as many as it said.

    A new time of change alone does no harm. `factor`: how many times smaller the pixels are than the photo.
    """
    if photo.stamp not in (None, _stamp(photo.path)) and file_sha256(photo.path) != photo.sha256:
        raise PhotoError(f"{photo.name} has changed while it was in use: add it again.")
    if pixels.shape[:2] != (-(-photo.height // factor), -(-photo.width // factor)):
        raise PhotoError(f"{photo.name} is damaged and cannot be read: export it again.")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of change; None where the file is gone, which whoever opens it says better."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _shrink_while_decoding(image: Image.Image, at_least: int, to_the_pixel: bool) -> int:
    """Let a JPEG decode itself at 1/8, 1/4 or 1/2, the smallest that has `at_least` pixels on its long side.

    Returns how many times smaller its sides get, of which a part of a pixel counts as one.

    With `to_the_pixel` only by a factor that divides both sides: else the last pixels reach beyond the photo, and
    everything would be up to a pixel from where its size says.
    """
    width, height = image.size
    for factor in (8, 4, 2):
        whole = width % factor == 0 and height % factor == 0
        if (whole or not to_the_pixel) and max(width, height) >= factor * at_least:
            image.draft("RGB", (width // factor, height // factor))
            return round(width / image.width)
    return 1


def file_sha256(path: Path) -> str:
    """Of the bytes of the file at `path`, hex. Raises PhotoError where they cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PhotoError(f"{path} cannot be read any more: {error.strerror}.", repr(error)) from error
