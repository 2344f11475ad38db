"""Small good photos of every kind that is read, to be spoilt.

This module imports Pillow, pillow-heif and numpy beyond the standard library.
"""

import io
from typing import Any

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

from vggt_addon.photos.icc_profile import ADOBE_RGB, make_profile

pillow_heif.register_heif_opener()


def photo_seeds() -> list[bytes]:
    """The files' bytes, each up to about 10 kB."""
    color = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)).resize((54, 36))
    alpha = color.convert("RGBA")
    alpha.putalpha(color.getchannel(0))
    deep = Image.fromarray(np.asarray(color.getchannel(1)).astype(np.uint16) * 257)
    exif = _exif()
    profile = make_profile(ADOBE_RGB, 563 / 256)
    everything: dict[str, Any] = {"exif": exif, "icc_profile": profile}
    made = [
        _encoded(color, "JPEG", **everything),
        _encoded(color, "JPEG", progressive=True, exif=exif),
        _encoded(color.convert("L"), "JPEG", icc_profile=profile),
        _encoded(color.convert("CMYK"), "JPEG", icc_profile=profile.replace(b"RGB ", b"CMYK")),
        _encoded(color, "MPO", append_images=[color.rotate(180)], save_all=True),
        _encoded(color, "PNG", **everything),
        _encoded(alpha, "PNG"),
        _encoded(color.quantize(16), "PNG", transparency=3),
        _encoded(deep, "PNG"),
        _encoded(color, "PNG", append_images=[color.rotate(180)], save_all=True),
        _encoded(color, "WEBP", lossless=True, **everything),
        _encoded(alpha, "WEBP", quality=60),
        _encoded(color, "WEBP", append_images=[color.rotate(180)], save_all=True),
        _encoded(color, "AVIF", speed=10, **everything),
        _encoded(alpha, "AVIF", speed=10),
        _encoded(color, "AVIF", speed=10, append_images=[color.rotate(180)], save_all=True),
        _encoded(color, "HEIF", **everything),
        _encoded(alpha, "HEIF"),
        _encoded(color, "HEIF", append_images=[color.rotate(180)], save_all=True),
        _encoded(color, "TIFF", **everything),
        _encoded(deep, "TIFF"),
        _encoded(deep.convert("F"), "TIFF"),
        _encoded(color.convert("CMYK"), "TIFF"),
        _encoded(color, "TIFF", append_images=[color.rotate(180)], save_all=True),
    ]
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        made.append(_encoded(color, "TIFF", compression=compression, icc_profile=profile))
        made.append(_encoded(alpha if compression != "jpeg" else color, "TIFF", compression=compression))
    return made


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Canon"
    exif[ExifTags.Base.Model] = "Canon EOS 550D"
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.FocalLength] = 24.5
    camera[ExifTags.Base.FocalLengthIn35mmFilm] = 39
    camera[ExifTags.Base.DigitalZoomRatio] = 1.5
    camera[ExifTags.IFD.Interop] = {1: "R03"}
    return exif.tobytes()


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)  # saving leaves its options in an image
    return buffer.getvalue()
