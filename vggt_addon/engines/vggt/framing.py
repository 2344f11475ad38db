"""How each photo lies in the network's input: sizes, padding, and the map between their pixels.

All photos of a run share one input size, a multiple of the patch along both sides. A photo is resized as a whole, edge
on edge, so that its aspect changes by what rounding to patches asks for; what remains of the input is padding.

Pixel centres are at +0.5 in the photo and in the input, and the network's principal point is the exact middle of the
input, (W/2, H/2). The published code takes pixel indices 0, 1, 2 against that middle, half an input pixel off: a photo
of 5180 pixels would have its points 5 pixels beside what it shows. `cameras.unproject` keeps that for comparison;
nothing here does.
This module imports nothing beyond the standard library and numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Mode = Literal["whole", "crop", "pad"]
MODES: tuple[Mode, ...] = get_args(Mode)
LONG_SIDE = 518  # input pixels: what the published network was trained at
PATCH = 14  # input pixels


@dataclass(frozen=True)
class Framing:
    """One photo in the network's input. Lengths are input pixels unless they say photo.

    The photo, upright, is resized to `resized_width` x `resized_height`; of its rows, `rows` are shown, from
    `cut_above` on; they stand at (`left`, `top`) in the input, with white around them.
    """

    photo_width: int  # photo pixels, upright
    photo_height: int  # photo pixels, upright
    input_width: int  # multiple of the patch, the same for all photos of a run
    input_height: int  # multiple of the patch, the same for all photos of a run
    resized_width: int  # the whole photo's; all of its columns are shown
    resized_height: int  # the whole photo's
    rows: int  # how many of the resized rows are shown: all of them but for mode "crop"
    cut_above: int  # resized rows above the first that is shown
    left: int  # where the photo begins in the input
    top: int  # where the photo begins in the input

    @property
    def content(self) -> tuple[slice, slice]:
        """The part of the input that shows the photo: index (H, W, ...) arrays with it. The rest is padding."""
        return slice(self.top, self.top + self.rows), slice(self.left, self.left + self.resized_width)

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns of `content`, on which depth is handed over."""
        return self.rows, self.resized_width

    @property
    def photo_from_input(self) -> NDArray[np.float64]:
        """(3, 3) input pixels to photo pixels, centres at +0.5: one scale along x, one along y, and a shift."""
        across, down = self.photo_width / self.resized_width, self.photo_height / self.resized_height
        return np.array(
            [[across, 0.0, -self.left * across], [0.0, down, (self.cut_above - self.top) * down], [0.0, 0.0, 1.0]]
        )

    @property
    def photo_from_grid(self) -> NDArray[np.float64]:
        """(3, 3) pixels of `content` to photo pixels, centres at +0.5."""
        input_from_grid = np.array([[1.0, 0.0, self.left], [0.0, 1.0, self.top], [0.0, 0.0, 1.0]])
        return np.asarray(self.photo_from_input @ input_from_grid)


def frame_photos(
    sizes: Sequence[tuple[int, int]], mode: Mode = "whole", *, long_side: int = LONG_SIDE, patch: int = PATCH
) -> list[Framing]:
    """How photos of `sizes` (width, height; upright pixels) lie in one common input.

    - "whole": the longer side becomes `long_side`, the other follows, rounded to patches (half to even). The input is
      the smallest that takes all of them; each stands in its middle. No pixel is lost. Landscape photos of one aspect
      get exactly what "crop" gives them.
    - "crop", as published: the width becomes `long_side`; what is then higher than `long_side` loses rows above and
      below. The input is the smallest that takes all of them.
    - "pad", as published: as "whole", in a square input of `long_side`.

    `long_side` is a multiple of `patch`: less costs less and shows less. A strip so long that its short side would
    round to nothing, where the published code fails, is not stretched to a patch: it keeps its aspect (to 2 pixels),
    and the rest of its one patch is white. Raises ValueError where `long_side`, a size
    or the mode make no sense.
    """
    if mode not in MODES:
        raise ValueError(f"the mode is {mode!r}, not one of {', '.join(MODES)}")
    if long_side < patch or long_side % patch:
        raise ValueError(f"the long side is {long_side}, not a multiple of {patch}")
    if any(min(size) < 1 for size in sizes):
        raise ValueError("a photo without pixels")
    if not sizes:
        return []
    resized = [_resized(width, height, mode, long_side, patch) for width, height in sizes]
    shown = [min(rows, long_side) for _, rows in resized]
    if mode == "pad":
        input_width = input_height = long_side
    else:
        input_width = _up_to_patches(max(columns for columns, _ in resized), patch)
        input_height = _up_to_patches(max(shown), patch)
    return [
        Framing(
            photo_width=width,
            photo_height=height,
            input_width=input_width,
            input_height=input_height,
            resized_width=resized_width,
            resized_height=resized_height,
            rows=rows,
            cut_above=(resized_height - rows) // 2,
            left=(input_width - resized_width) // 2,
            top=(input_height - rows) // 2,
        )
        for (width, height), (resized_width, resized_height), rows in zip(sizes, resized, shown, strict=True)
    ]


def _resized(width: int, height: int, mode: Mode, long_side: int, patch: int) -> tuple[int, int]:
    """Width and height of the whole photo in input pixels."""
    if mode == "crop" or width >= height:
        return long_side, _rounded(height * (long_side / width), patch)
    return _rounded(width * (long_side / height), patch), long_side


def _rounded(exact: float, patch: int) -> int:
    """`exact` pixels in whole patches, half to even; less than a patch where that would be none."""
    patches = round(exact / patch)
    if patches:
        return patches * patch
    # The padding is the same on both sides, so that the photo's middle stays the input's, where the optical axis is.
    return max(patch - 2 * round((patch - exact) / 2), 2 - patch % 2)


def _up_to_patches(pixels: int, patch: int) -> int:
    return -(-pixels // patch) * patch
