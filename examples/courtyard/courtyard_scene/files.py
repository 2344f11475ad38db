"""Writes photos as a camera writes them, and their true cameras and depth beside them."""

import json
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from .cameras import FOCAL_LENGTH_35MM, FOCAL_LENGTH_MM, Camera, record
from .noise import Array, Float

QUALITY = 86
TURNED = 6  # EXIF orientation: show the stored picture turned by 90 degrees clockwise


def write_photo(folder: Path, camera: Camera, index: int, upright: Array) -> None:
    """One JPEG. The sensor is always read out in landscape: a portrait photo is stored lying, with its orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Courtyard"
    exif[ExifTags.Base.Model] = "Rendered 20 mm"
    exif[ExifTags.Base.Orientation] = TURNED if camera.portrait else 1
    taken = f"2024:05:12 16:{20 + index:02d}:{(index * 17) % 60:02d}"
    exif[ExifTags.Base.DateTime] = taken
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = taken
    detail[ExifTags.Base.FocalLength] = IFDRational(round(FOCAL_LENGTH_MM * 10), 10)
    detail[ExifTags.Base.FocalLengthIn35mmFilm] = FOCAL_LENGTH_35MM
    stored = np.rot90(upright) if camera.portrait else upright
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(stored)).save(folder / camera.name, quality=QUALITY, optimize=True, exif=exif)


def write_truth(folder: Path, cameras: list[Camera], depths: dict[str, Float]) -> None:
    """cameras.json, and depth.npz with one uint16 array of millimetres per photo; 0 where the sky is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.json").write_text(json.dumps(record(cameras, "depth.npz"), indent=1) + "\n")
    if depths:
        np.savez_compressed(
            folder / "depth.npz", **{k: np.round(d * 1000).astype(np.uint16) for k, d in depths.items()}
        )
