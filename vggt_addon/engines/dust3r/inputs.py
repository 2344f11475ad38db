"""Photo files as DUSt3R sees them: each in an input of its own shape.

This module imports nothing beyond the standard library and numpy; its neighbours import Pillow and torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadablePhotosError
from ...photos.photo import Photo
from ...progress import Cancel, Progress, span
from ..vggt.framing import Framing
from ..vggt.preprocess import load_inputs
from .framing import pixel_shape
from .run import Inputs


@dataclass(frozen=True)
class LoadedPhotos:
    """The pixels of n photos, upright, in sRGB, transparent parts on white."""

    inputs: Inputs
    colors: tuple[NDArray[np.uint8], ...]  # n times (h, w, 3): the photo at the pixels of the framing's grid
    masks: tuple[NDArray[np.bool_] | None, ...]  # n times (h, w): where that belongs to the scene; None where all does


def load_photos(
    photos: Sequence[Photo], framings: Sequence[Framing], progress: Progress, cancel: Cancel, at_once: int
) -> LoadedPhotos:
    """Read every photo once, those of one shape together. Raises UnreadablePhotosError, naming all; Cancelled."""
    images: dict[int, NDArray[np.uint8]] = {}
    colors: dict[int, NDArray[np.uint8]] = {}
    masks: dict[int, NDArray[np.bool_] | None] = {}
    unreadable: dict[str, str] = {}
    shapes = [(framing.input_height, framing.input_width) for framing in framings]
    for shape in dict.fromkeys(shapes):
        places = [place for place, other in enumerate(shapes) if other == shape]
        done = len(images) + len(unreadable)
        part = span(progress, done / len(photos), (done + len(places)) / len(photos))
        try:
            loaded = load_inputs(
                [photos[place] for place in places], [framings[place] for place in places], part, cancel, at_once
            )
        except UnreadablePhotosError as error:
            unreadable |= error.reasons
            continue
        for at, place in enumerate(places):
            images[place], colors[place], masks[place] = loaded.images[at], loaded.colors[at], loaded.masks[at]
    if unreadable:
        raise UnreadablePhotosError(unreadable)
    order = range(len(photos))
    shown = tuple(_shown(framings[place], masks[place]) for place in order)
    return LoadedPhotos(
        Inputs(tuple(images[place] for place in order), shown, tuple(map(pixel_shape, framings))),
        tuple(colors[place] for place in order),
        tuple(masks[place] for place in order),
    )


def _shown(framing: Framing, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """(H, W) of the input: where there is photo, and it belongs to the scene."""
    shown = np.zeros((framing.input_height, framing.input_width), np.bool_)
    shown[framing.content] = True if mask is None else mask
    return shown
