"""The courtyard's photos again, each as another kind of file, in another colour space, and turned another way."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image

from vggt_addon.photos.icc_profile import ADOBE_RGB, DISPLAY_P3, make_profile

pillow_heif.register_heif_opener()
Pixels = NDArray[np.uint8]

# The stored picture that shows `upright` under each EXIF orientation (EXIF 2.3, tag 0x0112).
STORED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


class Kind(NamedTuple):
    """How one photo is stored."""

    suffix: str
    orientation: int
    space: str  # "sRGB", "Display P3" or "Adobe RGB"
    told_by: str  # how the file says so: "icc", "code points", "exif"
    pixels: str  # "8 bit", "16 bit", "CMYK" or "alpha"


KINDS = (
    Kind("jpg", 1, "sRGB", "icc", "8 bit"),
    Kind("heic", 6, "Display P3", "icc", "8 bit"),
    Kind("avif", 8, "Display P3", "icc", "8 bit"),
    Kind("png", 3, "sRGB", "icc", "16 bit"),
    Kind("tif", 5, "Adobe RGB", "icc", "8 bit"),
    Kind("webp", 7, "Display P3", "icc", "8 bit"),
    Kind("jpg", 2, "Adobe RGB", "exif", "8 bit"),
    Kind("tif", 4, "sRGB", "icc", "CMYK"),
    Kind("heic", 1, "Display P3", "code points", "8 bit"),
    Kind("png", 6, "Display P3", "icc", "alpha"),
)
_OPTIONS: dict[str, dict[str, Any]] = {
    "heic": {"quality": 98, "chroma": 444, "enc_params": {"preset": "ultrafast"}},
    "avif": {"quality": 100, "subsampling": "4:4:4", "speed": 9},
    "png": {"compress_level": 1},
    "tif": {},
    "webp": {"lossless": True, "quality": 0, "method": 0},
    "jpg": {"quality": 98, "subsampling": 0},
}


def write(kind: Kind, upright: Pixels, exif: Image.Exif, path: Path, truth: ModuleType) -> None:
    """`upright` (h, w, 3) sRGB as a file of that kind at `path`; `truth` is color_truth.py."""
    encode = truth.adobe_code if kind.space == "Adobe RGB" else truth.srgb_code
    pixels = upright if kind.space == "sRGB" else truth.stored_as(kind.space, upright, encode)
    stored = np.ascontiguousarray(STORED[kind.orientation](pixels))
    exif[ExifTags.Base.Orientation] = kind.orientation
    options = dict(_OPTIONS[kind.suffix])
    if kind.told_by == "code points":
        options |= {"color_primaries": 12, "transfer_characteristics": 13}
    elif kind.told_by == "exif":
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: "R03"}
    elif kind.space == "Adobe RGB":
        options["icc_profile"] = make_profile(ADOBE_RGB, 563 / 256)
    elif kind.space == "Display P3":
        options["icc_profile"] = make_profile(DISPLAY_P3, truth.srgb_light(np.linspace(0, 1, 1024)))
    if kind.pixels == "16 bit":
        write_png16(path, (stored * np.uint16(257)).astype(np.uint16), exif.tobytes())
        return
    image = Image.fromarray(stored)
    if kind.pixels != "8 bit":
        image = image.convert({"CMYK": "CMYK", "alpha": "RGBA"}[kind.pixels])
    image.save(path, exif=exif if kind.suffix == "tif" else exif.tobytes(), **options)


def write_png16(path: Path, pixels: NDArray[np.uint16], exif: bytes = b"") -> Path:
    """(h, w, 3 or 4) of 16 bit as a PNG: Pillow reads these but does not write them."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    if exif:
        chunks.insert(1, (b"eXIf", exif.removeprefix(b"Exif\0\0")))
    data = b"\x89PNG\r\n\x1a\n"
    for kind, chunk in chunks:
        data += struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
    path.write_bytes(data)
    return path
