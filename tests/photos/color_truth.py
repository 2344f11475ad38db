"""Colours in other spaces, computed from the standards' numbers and by no colour library."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WHITE = (0.3127, 0.3290)
SPACES = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "BT.2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}


def xyz_from_rgb(space: str) -> Floats:
    """(3, 3) for linear values."""

    def xyz(x: float, y: float) -> list[float]:
        return [x / y, 1.0, (1 - x - y) / y]

    columns = np.array([xyz(*corner) for corner in SPACES[space]]).T
    return np.asarray(columns * np.linalg.solve(columns, np.array(xyz(*_WHITE))), np.float64)


def srgb_light(codes: Floats) -> Floats:
    """Linear light of sRGB's (and Display P3's) codes in [0, 1]."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def srgb_code(light: Floats) -> Floats:
    """The inverse of `srgb_light`; negative light is none."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def adobe_code(light: Floats) -> Floats:
    """Adobe RGB (1998) is a plain gamma of 563/256."""
    return np.asarray(np.clip(light, 0, 1) ** (256 / 563))


def stored_as(space: str, srgb: NDArray[np.uint8], encode: Callable[[Floats], Floats]) -> NDArray[np.uint8]:
    """The 8-bit codes by which a file in `space` says what `srgb` says in sRGB. (..., 3)."""
    into = np.linalg.inv(xyz_from_rgb(space)) @ xyz_from_rgb("sRGB")
    light = srgb_light(srgb / 255) @ into.T
    return np.asarray(np.round(encode(light) * 255), np.uint8)
