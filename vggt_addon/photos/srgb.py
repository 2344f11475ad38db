"""A stored picture of whatever kind as 8-bit sRGB on white.

This module imports Pillow and numpy beyond the standard library.
"""

import numpy as np
from PIL import Image

from .color_space import color_profile
from .icc_profile import lab_to_srgb, to_srgb

_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def srgb_on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image` as 8-bit RGB in sRGB; its numbers mean what `profile` says, or None: sRGB. See `read.decode`."""
    if is_deep(image):
        image = _eight_bit(image)
    if not is_transparent(image):
        return _srgb(image, profile)
    rgba = _rgba(image)
    color = _srgb(rgba, profile)
    color.putalpha(rgba.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), color).convert("RGB")


def opacity_of(image: Image.Image) -> Image.Image | None:
    """What `srgb_on_white` lays on white, as mode L: 0 where there is nothing; None where nothing is transparent."""
    return None if is_deep(image) or not is_transparent(image) else _rgba(image).getchannel("A")


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


def _rgba(image: Image.Image) -> Image.Image:
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


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


def _eight_bit(image: Image.Image) -> Image.Image:
    """Greys of 16 bit by their range; of 32 bit and floats, which have none, by theirs if that is larger than usual."""
    values = np.asarray(image, dtype=np.float32)
    usual = 65535.0 if image.mode.startswith("I") else 1.0
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) if image.mode == "F" else values
    peak = max(usual, float(finite.max()))
    if image.mode == "F":
        finite = np.where(values == np.inf, np.float32(peak), finite)
    return Image.fromarray(np.uint8(np.clip(finite / peak, 0, 1) * 255 + 0.5))
