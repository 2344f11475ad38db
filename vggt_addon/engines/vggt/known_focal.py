"""The focal lengths that an artist imposes: how they are said, and what each photo gets.

    network     none: as the network sees it, photo by photo
    shared      none either, but the photos of one lens share theirs
    exif        what the photo's file says, where it says it
    28mm        every photo's: of the lens that shows as much on 36 mm wide film
    3200        pixels of the reference photo; every other photo's in proportion to its long side

The last two are for photos of one lens that are at most resized; of a cropped one they are wrong. All are of the
upright photo at its full size. This module imports nothing beyond the standard library.
"""

import re
from collections.abc import Sequence

from ...errors import EngineError
from ...photos.photo import Photo

FOCALS = ("network", "shared", "exif")
_NUMBER = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,6})?) ?(mm)?")
_FILM_WIDTH = 36.0  # mm
_SHORTEST, _LONGEST = 0.25, 28.0  # long sides: of 9 and 1000 mm; see photos/exif.py


def is_focal(text: str) -> bool:
    """Whether the module's list has it."""
    return text in FOCALS or _NUMBER.fullmatch(text) is not None


def known_focals(text: str, photos: Sequence[Photo]) -> list[float | None] | None:
    """The focal length that `text` imposes on each of `photos`, the reference first, in pixels of each.

    None where it leaves that photo's to the network; None instead of a list where it leaves all of them. Raises
    EngineError where `text` is none of the module's list, or no lens is as short or as long.
    """
    if not is_focal(text):
        raise EngineError(
            f"There is no focal called {text}: choose one of {', '.join(FOCALS)}, a number of pixels, or millimetres "
            "on 36 mm wide film such as 28mm."
        )
    if text == "exif":
        return [photo.focal_prior.pixels if photo.focal_prior else None for photo in photos]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return None
    reference = photos[0]
    ratio = float(number[1]) / (_FILM_WIDTH if number[2] else reference.long_side)
    if not _SHORTEST <= ratio <= _LONGEST:
        shortest, longest = _SHORTEST * reference.long_side, _LONGEST * reference.long_side
        raise EngineError(
            f"--focal {text} is no lens's: from {_SHORTEST * _FILM_WIDTH:.0f}mm to {_LONGEST * _FILM_WIDTH:.0f}mm make "
            f"sense, which in {reference.name} are {shortest:.0f} to {longest:.0f} pixels."
        )
    return [ratio * photo.long_side for photo in photos]
