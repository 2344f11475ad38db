"""How a photo lies in DUSt3R's input: whole, its long side as long as the network was trained at.

Each photo has an input of its own shape; its sides are multiples of the patch, and what the photo leaves of it is
white, the same on both sides, so that the photo's middle is the input's. The published loader crops instead, and cuts
square photos to 4:3, since the network has seen nothing squarer: here such a photo is made smaller until its input is
4:3. Pixel centres are at +0.5.
This module imports nothing beyond the standard library; its neighbour imports numpy.
"""

import math

from ...errors import EngineError
from ..vggt.framing import Framing

PATCH = 16  # input pixels
LONG_SIDE = 512  # input pixels: what the published network was trained at
SHORTEST_LONG_SIDE, LONGEST_LONG_SIDE = 128, 1024
_SQUAREST = 4 / 3  # long to short side of an input
_THINNEST = 2  # input pixels: what is left of the short side of a strip, at least


def input_long_side(asked: int, framing: str) -> int:
    """The long side of DUSt3R's input for what the artist asked: the next multiple of its patch below.

    Raises EngineError where that, or the framing, is none of DUSt3R's.
    """
    if framing != "whole":
        raise EngineError(f"DUSt3R takes photos whole: choose --framing whole instead of {framing}.")
    side = asked // PATCH * PATCH
    if not SHORTEST_LONG_SIDE <= side <= LONGEST_LONG_SIDE:
        raise EngineError(f"--input-size {asked} is too small or too large for DUSt3R: from 128 to 1024 make sense.")
    return side


def frame_photo(width: int, height: int, long_side: int = LONG_SIDE) -> Framing:
    """The input of a photo of `width` x `height` upright pixels. Raises ValueError for a photo without pixels."""
    if min(width, height) < 1:
        raise ValueError("a photo without pixels")
    longer, shorter = max(width, height), min(width, height)
    squarest = int(long_side / _SQUAREST) // PATCH * PATCH
    scale = min(long_side / longer, squarest / shorter)
    # Even numbers leave the same margin on both sides.
    resized_long = min(_even(longer * scale), long_side)
    resized_short = max(min(_even(shorter * scale), squarest), _THINNEST)
    input_short = -(-resized_short // PATCH) * PATCH
    input_width, input_height = (long_side, input_short) if width >= height else (input_short, long_side)
    columns, rows = (resized_long, resized_short) if width >= height else (resized_short, resized_long)
    return Framing(
        photo_width=width,
        photo_height=height,
        input_width=input_width,
        input_height=input_height,
        resized_width=columns,
        resized_height=rows,
        rows=rows,
        cut_above=0,
        left=(input_width - columns) // 2,
        top=(input_height - rows) // 2,
    )


def pixel_shape(framing: Framing) -> tuple[float, float]:
    """How wide and how high an input pixel is in the photo, their product 1: rounding lets them differ a little."""
    across, down = framing.photo_from_input[0, 0], framing.photo_from_input[1, 1]
    return float(math.sqrt(across / down)), float(math.sqrt(down / across))


def _even(exact: float) -> int:
    return 2 * round(exact / 2)
