"""A stored picture of whatever kind as 8-bit sRGB on white.

This module imports Pillow and numpy beyond the standard library.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .color_space import color_profile
from .icc_profile import lab_to_srgb, to_srgb
from .strips import largest_value, upright_pixels

_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def srgb_on_white(image: Image.Image, orientation: int, profile: bytes | None) -> NDArray[np.uint8]:
    """The opened `image`, turned as EXIF's `orientation` says, as (h, w, 3) sRGB.

    Its numbers mean what `profile` says, or None: sRGB. See `read.decode`.
    """
    white = max(_usual_white(image), largest_value(image)) if is_deep(image) else 0.0

    def convert(strip: Image.Image) -> Image.Image:
        if is_deep(strip):
            strip = _eight_bit(strip, white)
        return _on_white(strip, profile) if is_transparent(strip) else _srgb(strip, profile)

    return upright_pixels(image, orientation, convert)


def opacity_of(image: Image.Image, orientation: int) -> NDArray[np.uint8] | None:
    """(h, w): 0 where `srgb_on_white` shows but white, 255 where none of it; None where nothing is transparent."""
    if is_deep(image) or not is_transparent(image):
        return None
    return upright_pixels(image, orientation, lambda strip: with_alpha(strip).getchannel("A"))


def is_plain(image: Image.Image) -> bool:
    """Whether the opened `image` is an opaque 8-bit sRGB picture as it is stored."""
    # Pillow calls 16-bit colour RGB and drops the lower half; how it is stored is forgotten once it is loaded.
    deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    return image.mode in ("RGB", "L") and not deep and not is_transparent(image) and color_profile(image) is None


def is_deep(image: Image.Image) -> bool:
    """Greys of 16 or 32 bit or floats, which Pillow would clip."""
    return image.mode.startswith(("I", "F"))


def is_transparent(image: Image.Image) -> bool:
    """Whether pixels may be: a channel for it, or a colour that means it."""
    return image.mode in _TRANSPARENT_MODES or "transparency" in image.info


def with_alpha(image: Image.Image) -> Image.Image:
    """A transparent picture as RGBA."""
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    rgba = with_alpha(image)
    color = _srgb(rgba, profile)
    color.putalpha(rgba.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), color).convert("RGB")


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours of an 8-bit picture, whatever is transparent."""
    if image.mode == "LAB":
        return lab_to_srgb(image)
    if profile is None:
        return image.convert("RGB")
    if image.mode in ("RGBA", "P", "1"):
        grey_or_color = image.convert("L" if image.mode == "1" else "RGB")
        return to_srgb(grey_or_color, profile)
    return to_srgb(image, profile)


def _usual_white(image: Image.Image) -> float:
    return 65535.0 if image.mode.startswith("I") else 1.0


def _eight_bit(image: Image.Image, white: float) -> Image.Image:
    """Greys of 16 bit by their range; of 32 bit and floats, which have none, by theirs if that is larger than usual."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=white, neginf=0.0)
    return Image.fromarray(np.uint8(np.clip(values / white, 0, 1) * 255 + 0.5))
