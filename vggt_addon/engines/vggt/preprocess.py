"""From photo files to the network's input, and to the colours of the depth grid.

Resizing is Pillow's bicubic on 8 bit, as published. Nothing is decoded at a lower resolution: that would not be exact.
This module imports nothing beyond the standard library, numpy and Pillow.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import PhotoError, UnreadablePhotosError
from ...photos.masks import USED, mask, on_white
from ...photos.photo import Photo
from ...photos.read import decode
from ...photos.strips import open_at_once
from ...progress import Cancel, Progress, check, never, no_progress
from .framing import Framing

_STRIP_PIXELS = 4_000_000  # what is resized at once; Pillow takes 4 bytes for each


@dataclass(frozen=True)
class LoadedPhotos:
    """The pixels of S photos, upright, in sRGB, transparent parts on white."""

    images: NDArray[np.uint8]  # (S, H, W, 3): the network's input, white where there is no photo
    colors: tuple[NDArray[np.uint8], ...]  # S times (h, w, 3): the photo at the pixels of the framing's grid
    masks: tuple[NDArray[np.bool_] | None, ...]  # S times (h, w): where at least half of a grid's pixel belongs to the
    #   scene, by the photo's mask and transparency; None where all do


def load_inputs(
    photos: Sequence[Photo],
    framings: Sequence[Framing],
    progress: Progress = no_progress,
    cancel: Cancel = never,
    at_once: int = 0,
) -> LoadedPhotos:
    """Read every photo once, `at_once` side by side (0: one per core; fewer where photos are huge).

    A full-size picture lives only while its photo is worked on. Raises UnreadablePhotosError, naming all of them, where
    files are gone, changed or damaged; Cancelled on request (a photo that is being read is finished first).
    """
    if not photos or len(photos) != len(framings):
        raise ValueError(f"{len(photos)} photos with {len(framings)} framings")
    images = np.empty((len(photos), framings[0].input_height, framings[0].input_width, 3), np.uint8)
    colors: list[NDArray[np.uint8]] = []
    masks: list[NDArray[np.bool_] | None] = []
    unreadable: dict[str, str] = {}

    def load(index: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None] | PhotoError:
        check(cancel)
        try:
            picture, used = _pixels(photos[index])
        except PhotoError as error:
            return error
        images[index] = render(picture, framings[index])
        return grid_colors(picture, framings[index]), None if used is None else grid_mask(used, framings[index])

    with ThreadPoolExecutor(open_at_once(photos, at_once)) as pool:
        for index, loaded in enumerate(pool.map(load, range(len(photos)))):
            if isinstance(loaded, PhotoError):
                unreadable[photos[index].name] = loaded.sentence
            else:
                colors.append(loaded[0])
                masks.append(loaded[1])
            progress("Loading photos", (index + 1) / len(photos))
    if unreadable:
        raise UnreadablePhotosError(unreadable)
    return LoadedPhotos(images, tuple(colors), tuple(masks))


def render(picture: NDArray[np.uint8], framing: Framing) -> NDArray[np.uint8]:
    """A photo's upright pixels (h, w, 3 or 4) as the network sees them: (H, W, 3) uint8, padding white.

    A fourth channel is opacity, and is laid on white. Beside the picture, memory is needed only for strips of it and
    for its rows at the input's width. Raises ValueError where the picture is not of the photo's size.
    """
    image = np.full((framing.input_height, framing.input_width, 3), 255, np.uint8)
    image[framing.content] = _shown(picture, framing, Image.Resampling.BICUBIC)
    return image


def grid_colors(picture: NDArray[np.uint8], framing: Framing) -> NDArray[np.uint8]:
    """The photo's colours at the pixels of the framing's grid: (h, w, 3) uint8, from pixels as `render` takes them.

    A plain area average: bicubic rings at edges, and its overshoot is no colour of the photo.
    """
    return _shown(picture, framing, Image.Resampling.BOX)


def grid_mask(used: NDArray[np.uint8], framing: Framing) -> NDArray[np.bool_]:
    """From a photo's mask (height, width): where at least half of the framing's grid pixels belongs to the scene."""
    as_picture = np.broadcast_to(used[..., None], (*used.shape, 3))
    return np.asarray(_shown(as_picture, framing, Image.Resampling.BOX)[..., 0] >= USED)


def _shown(picture: NDArray[np.uint8], framing: Framing, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """The part of the photo that the input shows, resized: (rows, columns, 3).

    Pillow resizes along x, rounds to 8 bit, then along y; each pass treats every row, or column, by itself. So strips
    give the same values as the whole picture at once, without Pillow's copy of it.
    """
    if picture.shape[:2] != (framing.photo_height, framing.photo_width):
        raise ValueError(
            f"a picture of shape {picture.shape} for a {framing.photo_width} x {framing.photo_height} photo"
        )
    height, width = picture.shape[:2]
    columns = framing.resized_width
    narrow = np.empty((height, columns, 3), np.uint8)
    step = max(1, _STRIP_PIXELS // max(width, columns))
    for start in range(0, height, step):
        strip = _opaque(picture[start : start + step])
        narrow[start : start + step] = strip.resize((columns, strip.height), resampling)
    shown = np.empty((framing.rows, columns, 3), np.uint8)
    kept = slice(framing.cut_above, framing.cut_above + framing.rows)
    step = max(1, _STRIP_PIXELS // max(height, framing.resized_height))
    for start in range(0, columns, step):
        strip = _opaque(narrow[:, start : start + step])
        tall = np.asarray(strip.resize((strip.width, framing.resized_height), resampling))
        shown[:, start : start + step] = tall[kept]
    return shown


def _opaque(pixels: NDArray[np.uint8]) -> Image.Image:
    """(h, w, 3), or (h, w, 4) with opacity, as an RGB picture on white."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.mode != "RGBA":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")


def _pixels(photo: Photo) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The photo's pixels, (height, width, 3) uint8 sRGB, upright, what its mask leaves out white; and that mask."""
    pixels, used = decode(photo), mask(photo)
    if used is not None and photo.mask is not None:
        pixels = on_white(pixels, used)  # as transparent parts are: networks know objects that were cut out
    if any(part is not None and part.shape[:2] != (photo.height, photo.width) for part in (pixels, used)):
        raise PhotoError(f"{photo.name} has changed while it was in use: add it again.")
    return pixels, used
