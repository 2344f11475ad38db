"""Figures in words, and long sentences in lines: Blender's labels do neither.

This module imports nothing beyond the standard library.
"""

import textwrap

PIXELS_A_LETTER = 6.3  # of Blender's interface font at its usual size; a little more than the mean, so that lines fit
MARGIN = 64  # pixels that a panel's frame, a box's frame and an icon take
NARROWEST = 16  # letters
LONGEST = 1_000  # letters of one text: a panel draws it many times a second


def duration(seconds: float) -> str:
    """`seconds` as a person says them."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def letters(width: int, scale: float) -> int:
    """How many letters fit into a line of a region of `width` pixels under an interface `scale`."""
    return max(NARROWEST, int((width / max(scale, 0.1) - MARGIN) / PIXELS_A_LETTER))


def shown(text: str) -> str:
    """`text` as Blender can show it, whoever wrote it: a file's name may hold what is no Unicode, a worker anything."""
    text = text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def lines(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` letters; what has no space, a path, is broken where it must."""
    return [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, max(width, 1))]


def counted(count: int, one: str, many: str) -> str:
    """ "1 photo", "2 photos"."""
    return f"{count:,} {one if count == 1 else many}"


def focal_millimetres(focal: float, width: int, height: int) -> float:
    """The focal length that shows as much on a 36 mm wide frame; `focal` in pixels of a photo of this size."""
    return 36.0 * focal / max(width, height, 1)
