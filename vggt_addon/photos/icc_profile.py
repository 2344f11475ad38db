"""ICC profiles: made of a colour space's numbers, told from sRGB, and applied.

This module imports Pillow and numpy beyond the standard library.
"""

import functools
import io
import itertools
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_D65 = (0.3127, 0.3290)  # xy
_D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white that ICC profiles connect through
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_ALIKE = 2  # of 255: profiles that differ from sRGB by no more are its variants
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}  # Pillow's mode by a profile's colour space
# As image programs convert by default: colours that both spaces have are kept exactly, black becomes black.
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_UNUSABLE = (ImageCms.PyCMSError, OSError, TypeError, ValueError)  # of a profile that is damaged or does not fit

Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]  # xy of red, green and blue
DISPLAY_P3: Primaries = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT_2020: Primaries = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
ADOBE_RGB: Primaries = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))


def make_profile(primaries: Primaries, curve: NDArray[np.float64] | float) -> bytes:
    """An ICC profile (version 2, matrix and curve) of an RGB space with the white D65.

    `curve` is linear light in [0, 1] at evenly spaced codes from 0 to 1, or a gamma.
    """
    colorants = _adapted(_xyz_from_rgb(primaries))
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", 4) + b"RGB\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"CC0\0",
        b"wtpt": _xyz_type(_D50),
        **{name: _xyz_type(colorants[:, column]) for column, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve_type(curve)),
    }
    return _assembled(tags)


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """`image`, whose numbers mean what `profile` says, as 8-bit RGB in sRGB.

    A grey or palette picture may have an RGB profile. Where the profile cannot be read or does not fit the picture,
    the numbers are taken as they are, as any other program does.
    """
    mode, transform = _transform(profile)
    if mode == "RGB" and image.mode != "RGB":
        image = image.convert("RGB")
    return image.convert("RGB") if transform is None or mode != image.mode else _applied(transform, image)


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """A picture of mode LAB as 8-bit RGB in sRGB."""
    return _applied(_lab_transform(), image)


@functools.lru_cache(maxsize=16)  # photos of one camera have one profile, and it is asked for each of their strips
def _transform(profile: bytes) -> tuple[str | None, ImageCms.ImageCmsTransform | None]:
    """The mode of the pictures that `profile` is for, and what makes sRGB of these; None for what cannot be read."""
    mode = None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space)
        return mode, None if mode is None else _built(opened, mode)
    except _UNUSABLE:
        return mode, None


@functools.cache
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return _built(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _built(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", _INTENT, _FLAGS)


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:  # as the types have it, though only a conversion in place gives none
        raise ValueError("no picture came of the conversion")
    return converted


@functools.lru_cache(maxsize=64)  # photos of one camera have one profile
def is_srgb(profile: bytes) -> bool:
    """Whether numbers mean the same in `profile` as in sRGB; so they do where nobody can read it.

    Its description is not asked: "linear sRGB" has other numbers, and sRGB goes by many names.
    """
    mode, transform = _transform(profile)
    if mode is None or transform is None:
        return True
    if mode not in ("RGB", "L"):
        return False
    samples = _SAMPLES if mode == "RGB" else _SAMPLES[:, :1].repeat(3, axis=1)
    image = Image.fromarray(samples[None]).convert(mode)
    difference = np.asarray(_applied(transform, image), np.int16)[0] - samples
    return bool(np.abs(difference).max() <= _ALIKE)


_SAMPLES = np.array(list(itertools.product(range(0, 256, 51), repeat=3)), np.uint8)  # (216, 3)


def _xyz_from_rgb(primaries: Primaries) -> NDArray[np.float64]:
    """(3, 3): linear RGB to XYZ, such that white is D65 with Y = 1."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    return np.asarray(columns * np.linalg.solve(columns, _white()), np.float64)


def _white() -> NDArray[np.float64]:
    x, y = _D65
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adapted(xyz_from_rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same as seen under D50 (Bradford)."""
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ _white())
    return np.asarray(np.linalg.inv(_BRADFORD) @ (gain[:, None] * _BRADFORD) @ xyz_from_rgb, np.float64)


def _xyz_type(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _curve_type(curve: NDArray[np.float64] | float) -> bytes:
    if isinstance(curve, float):
        return b"curv" + struct.pack(">4xIH2x", 1, round(curve * 256))
    values: bytes = np.round(np.clip(curve, 0, 1) * 65535).astype(">u2").tobytes()
    return b"curv" + struct.pack(">4xI", len(curve)) + values


def _assembled(tags: Mapping[bytes, bytes]) -> bytes:
    """Header, table of tags, and their data, each from a multiple of 4 on; equal data once."""
    table, data, places = b"", b"", dict[bytes, int]()
    begin = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        if content not in places:
            places[content] = begin + len(data)
            data += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    head = struct.pack(">I4xI4s4s4s12x4s28x", begin + len(data), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    illuminant = struct.pack(">3i", *(round(float(value) * 65536) for value in _D50))
    return (head + illuminant).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
