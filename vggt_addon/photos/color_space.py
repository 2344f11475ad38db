"""What the numbers of a photo mean: its ICC profile, or one made of what the file says instead.

HEIF and AVIF files may name their colour space by code points (ITU-T H.273), cameras Adobe RGB by a mark in EXIF.
This module imports Pillow and numpy beyond the standard library.
"""

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from .avif_color import NOT_SAID, read_code_points
from .exif import DAMAGED, exif_block
from .icc_profile import ADOBE_RGB, BT_2020, DISPLAY_P3, is_srgb, make_profile

_PRIMARIES = {9: BT_2020, 12: DISPLAY_P3}  # H.273, colour primaries; the others are, or are taken for, sRGB's
_PQ, _HLG = 16, 18  # H.273, transfer characteristics
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # likewise; the others are, or are taken for, sRGB's, as every program does
_SRGB_PRIMARIES = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_WHITE = 203.0  # cd/m2: of HDR's reference white (ITU-R BT.2408)
_CODES = 4096
_INTEROPERABILITY_INDEX = 1  # EXIF tag
_ADOBE_GAMMA = 563 / 256


def color_profile(image: Image.Image) -> bytes | None:
    """The ICC profile in which the opened `image` has its numbers; None where that is sRGB."""
    profile = image.info.get("icc_profile")
    if profile:
        return None if is_srgb(profile) else bytes(profile)
    primaries, transfer = _code_points(image)
    if primaries in _PRIMARIES or transfer in (*_GAMMAS, _PQ, _HLG):
        return _made(primaries, transfer)
    return _adobe_rgb() if _is_adobe_rgb(image) else None


def hdr(image: Image.Image) -> str:
    """ "PQ" or "HLG" where the opened `image` goes beyond a screen's white, else ""."""
    if image.info.get("icc_profile"):
        return ""
    return {_PQ: "PQ", _HLG: "HLG"}.get(_code_points(image)[1], "")


def _code_points(image: Image.Image) -> tuple[int, int]:
    """Colour primaries and transfer characteristics; 2 for what is not said."""
    named = image.info.get("nclx_profile")  # by pillow-heif
    if isinstance(named, dict):
        return int(named["color_primaries"]), int(named["transfer_characteristics"])
    file = getattr(image, "fp", None)
    if image.format != "AVIF" or file is None:
        return NOT_SAID
    file.seek(0)  # Pillow has read it to its end
    return read_code_points(file)


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether EXIF says so: cameras write no profile, but Interoperability "R03" (DCF 2.0, optional colour space)."""
    try:
        index = exif_block(image).get_ifd(ExifTags.IFD.Interop).get(_INTEROPERABILITY_INDEX)
    except DAMAGED:
        return False
    return isinstance(index, str) and index.startswith("R03")


@functools.cache
def _adobe_rgb() -> bytes:
    return make_profile(ADOBE_RGB, _ADOBE_GAMMA)


@functools.lru_cache
def _made(primaries: int, transfer: int) -> bytes:
    return make_profile(_PRIMARIES.get(primaries, _SRGB_PRIMARIES), _curve(transfer))


def _curve(transfer: int) -> NDArray[np.float64] | float:
    """Light by code, 1 being white; of HDR what is brighter is cut off."""
    if transfer in _GAMMAS:
        return _GAMMAS[transfer]
    code = np.linspace(0.0, 1.0, _CODES)
    if transfer == _PQ:  # SMPTE ST 2084
        root = code ** (32 / 2523)
        light = (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
        return np.asarray(np.minimum(10_000 * light / _WHITE, 1.0))
    if transfer == _HLG:  # ITU-R BT.2100 on a screen of 1000 cd/m2
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        return np.asarray(np.minimum(1000 * scene**1.2 / _WHITE, 1.0))
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
