"""Masks: what of a photo belongs to the scene. People, rigs and sky are kept out of the solve, points and reliefs.

A mask is a picture that is white where the photo is used and black where not, of the photo's size or its shape. It lies
beside its photo `IMG_1.jpg` as `IMG_1.mask.png` or `IMG_1.jpg.mask.png`, or in a folder `masks` there as `IMG_1.png`,
`IMG_1.jpg.png` or `IMG_1.jpg`. One for a clip holds for all its frames. What a photo's own transparency hides is masked
as well.
This module imports Pillow and numpy beyond the standard library.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PhotoError
from ..photo_names import EXTENSIONS, MASK_ENDING, MASKS_FOLDER, is_named_mask, photos_in
from .exif import read_exif
from .opening import UNSUSPICIOUS, opened
from .photo import Photo
from .read import opacity
from .srgb import is_deep, is_transparent, with_alpha
from .strips import TURNS, largest_value, upright_pixels

logger = logging.getLogger(__name__)
USED = 128  # of 255: what is at least as light is used
_MOST_NAMED = 3


def with_mask(photo: Photo) -> Photo:
    """The photo with the mask that lies beside its original file; one that does not fit is named in the remark."""
    file = mask_beside(photo.original)
    if file is None:
        return photo
    try:
        with opened(file, drawn_for=photo.width * photo.height) as image:
            if not (_fits(image.size, photo) or _fits(image.size[::-1], photo)):
                wanted = f"{photo.width} x {photo.height}"
                sentence = f"{file.name} has {image.width} x {image.height} pixels, its photo {wanted}."
                raise PhotoError(f"{sentence} Draw it on the photo.")
    except PhotoError as error:
        remark = f"{photo.original.name} is used without its mask. {error.sentence}"
        return replace(photo, remark=f"{photo.remark} {remark}".strip())
    return replace(photo, mask=file)


def mask_beside(original: Path) -> Path | None:
    """The mask of the photo or clip `original`, whatever it is like; None where there is none."""
    return next(filter(_is_there, _places(original)), None)


def unused_masks(files: Iterable[Path]) -> list[str]:
    """A sentence where beside the photos and clips `files` lie masks that no photo there has."""
    unused = []
    for folder in dict.fromkeys(file.parent for file in files):
        try:
            known = {place for photo in photos_in(folder) for place in _places(photo)}
            unused += [file.name for file in _masks_in(folder) if file not in known]
        except OSError as error:
            logger.info("%s cannot be searched for masks: %r", folder, error)
    if not unused:
        return []
    names = ", ".join(unused[:_MOST_NAMED]) + (" and more" if len(unused) > _MOST_NAMED else "")
    return [f"These masks belong to no photo: {names}. Name each like its photo."]


def mask(photo: Photo) -> NDArray[np.uint8] | None:
    """What of the photo is used: (height, width) uint8, upright; `USED` and more: belongs to the scene.

    From its mask, its transparency, or both; None where all of it is used. Raises PhotoError where one of the files is
    gone, changed or damaged, and where nothing is left.
    """
    opaque, drawn = opacity(photo), None if photo.mask is None else _drawn(photo, photo.mask)
    if opaque is not None and opaque.max() < USED:
        raise PhotoError(f"{photo.name} is transparent all over: nothing of it can be used.")
    parts = [part for part in (opaque, drawn) if part is not None]
    if not parts:
        return None
    both = parts[0] if len(parts) == 1 else np.minimum(*parts)
    if both.min() >= USED:
        return None
    if photo.mask is not None and both.max() < USED:
        raise PhotoError(f"{photo.mask.name} leaves nothing of {photo.name}: white is what is used, black is not.")
    return both


def mask_in(
    used: NDArray[np.uint8], box: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """What a copy of `size` (width, height) shows of `used`'s part `box` (left, top, right, bottom; pixels), by halves.

    The box may reach beyond `used` by what rounding makes of it.
    """
    left, top, right, bottom = box
    height, width = used.shape
    inside = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    return np.asarray(Image.fromarray(used).resize(size, Image.Resampling.BOX, box=inside)) >= USED


def on_white(pixels: NDArray[np.uint8], used: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) pixels with what the mask `used` (h, w) leaves out white, as `read.decode` has transparent parts."""
    return np.where((used >= USED)[..., None], pixels, np.uint8(255))


def _places(original: Path) -> list[Path]:
    """Where the mask of a photo or clip may lie, the first that is there being used."""
    beside, folder = original.parent, original.parent / MASKS_FOLDER
    names = [original.name + MASK_ENDING, original.stem + MASK_ENDING]
    inside = [original.name + ".png", original.stem + ".png", *names]
    pictures = [] if original.suffix.lower() == ".png" else [original.name]
    return [*(beside / name for name in names), *(folder / name for name in (*inside, *pictures))]


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # longer than names may be, or in a folder that may not be looked into
        return False


def _masks_in(folder: Path) -> list[Path]:
    """Files in `folder` that are masks by their names or their folder's. Raises OSError."""
    beside = [file for file in folder.iterdir() if is_named_mask(file)]
    own = folder / MASKS_FOLDER
    inside = [file for file in own.iterdir() if file.suffix.lower() in EXTENSIONS] if own.is_dir() else []
    return sorted(beside) + sorted(inside)


def _fits(size: tuple[int, int], photo: Photo) -> bool:
    """Whether a picture of `size` has the photo's shape, up to the rounding of its sides, and is not far larger.

    For memory is counted by photos: a hostile mask may not have many times their pixels.
    """
    width, height = size
    if width * height > max(UNSUSPICIOUS, photo.width * photo.height):
        return False
    return abs(width * photo.height - height * photo.width) <= max(photo.width, photo.height)


def _drawn(photo: Photo, file: Path) -> NDArray[np.uint8]:
    """The mask in `file` at the photo's size, upright: (height, width) uint8."""
    size = (photo.width, photo.height)
    with opened(file, drawn_for=photo.width * photo.height) as image:
        if not (_fits(image.size, photo) or _fits(image.size[::-1], photo)):
            raise PhotoError(f"{file.name} has changed while it was in use: try again.")
        half = _half(image) if is_deep(image) else 0.0
        stored = upright_pixels(image, read_exif(image).orientation, lambda strip: _grey(strip, half))
        drawn = Image.fromarray(stored)
        if not _fits(drawn.size, photo) and photo.orientation in TURNS:
            drawn = drawn.transpose(TURNS[photo.orientation])  # drawn on the photo as the file holds it
        if not _fits(drawn.size, photo):
            raise PhotoError(f"{file.name} has changed while it was in use: try again.")
        drawn = drawn if drawn.size == size else drawn.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(drawn)
    # Programs that label pixels write 1 for what they found, which is as black as 0 to the eye.
    return pixels * np.uint8(255) if pixels.max() == 1 else pixels


def _half(image: Image.Image) -> float:
    """From where on greys of more than 8 bit are used; floats reach 1, as do the labels that programs write."""
    return 0.5 if largest_value(image) <= 1 else 32767.5


def _grey(image: Image.Image, half: float) -> Image.Image:
    """Mode L; what is transparent in a mask is black, like a layer that was painted white on nothing."""
    if is_deep(image):
        return Image.fromarray(np.uint8(255 * (np.asarray(image, np.float32) > half)))
    if not is_transparent(image):
        return image.convert("L")
    painted = with_alpha(image)
    return Image.composite(painted.convert("L"), Image.new("L", painted.size, 0), painted.getchannel("A"))
