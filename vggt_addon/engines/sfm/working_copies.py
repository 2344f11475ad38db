"""Upright grey copies of the photos at the solver's working size, one folder per lens and size.

COLMAP ignores EXIF rotation, skips WebP, and silently drops photos of another size than the first of their camera;
fed with these copies it meets none of that. This module imports nothing beyond the standard library, numpy and Pillow.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import PhotoError, UnreadablePhotosError
from ...geometry.raster import Raster, fit_raster
from ...photos.masks import mask, mask_in
from ...photos.photo import Photo
from ...photos.read import decode
from ...progress import Cancel, Progress, check


@dataclass(frozen=True)
class WorkingCopy:
    """One photo as the solver sees it."""

    name: str  # "folder/file" below the copies' root
    photo: int  # index into the run's photos
    raster: Raster


@dataclass(frozen=True)
class LensFolder:
    """Photos that share one lens and size, and so one set of intrinsics."""

    folder: str
    copies: tuple[WorkingCopy, ...]
    prior: float | None  # copy pixels: EXIF's focal length


def plan_copies(photos: Sequence[Photo], long_side: int) -> tuple[LensFolder, ...]:
    """Group the photos by lens and size. The copies' names are ASCII, and the same for every `long_side`."""
    groups: dict[tuple[str, int, int, float | None], list[int]] = {}
    for index, photo in enumerate(photos):
        prior = photo.focal_prior.pixels if photo.focal_prior else None
        groups.setdefault((photo.lens, photo.width, photo.height, prior), []).append(index)
    folders = []
    for number, ((_, width, height, prior), members) in enumerate(groups.items()):
        raster = fit_raster(width, height, long_side)
        folder = f"lens_{number:03d}"
        copies = tuple(WorkingCopy(f"{folder}/{index:05d}.png", index, raster) for index in members)
        folders.append(LensFolder(folder, copies, prior / raster.scale if prior else None))
    return tuple(folders)


def write_copies(
    photos: Sequence[Photo],
    lenses: Sequence[LensFolder],
    root: Path,
    at_once: int,
    progress: Progress,
    cancel: Cancel,
) -> None:
    """Write what `plan_copies` planned below `root`, `at_once` photos at a time.

    Where a photo has a mask, what it leaves is written below `mask_folder(root)` as COLMAP wants it: pictures named
    like the copies and ".png", black where no feature may be; then for every photo, since COLMAP drops one without.

    Raises UnreadablePhotosError, naming all of them, where photos turn out to be damaged; Cancelled.
    """
    copies = [copy for lens in lenses for copy in lens.copies]
    for lens in lenses:
        (root / lens.folder).mkdir(parents=True, exist_ok=True)

    def write(copy: WorkingCopy) -> str | None:
        check(cancel)
        raster = copy.raster
        try:
            pixels = decode(photos[copy.photo], at_least=max(raster.width, raster.height))
            picture = Image.fromarray(pixels).convert("L")
            del pixels  # the mask may be as large
            used = mask(photos[copy.photo])
        except PhotoError as error:
            return error.sentence
        ratio = picture.width / photos[copy.photo].width  # the decoder may have shrunk it already
        picture = picture.resize(
            (raster.width, raster.height), Image.Resampling.LANCZOS, box=_scaled_box(raster, ratio, picture.size)
        )
        picture.save(root / copy.name, compress_level=1)
        if used is not None:
            _write_mask(copy, mask_in(used, raster.box, (raster.width, raster.height)), root)
        return None

    damaged = {}
    with ThreadPoolExecutor(at_once) as pool:
        for number, reason in enumerate(pool.map(write, copies)):
            if reason is not None:
                damaged[photos[copies[number].photo].name] = reason
            progress("Preparing photos", (number + 1) / len(copies))
    if damaged:
        raise UnreadablePhotosError(damaged)
    if mask_folder(root).exists():
        for copy in copies:
            if not _mask_file(copy, root).exists():
                _write_mask(copy, np.ones((copy.raster.height, copy.raster.width), np.bool_), root)


def mask_folder(copies: Path) -> Path:
    """Where the masks of the working copies below `copies` lie; there only where one photo has one."""
    return copies.with_name(f"{copies.name}_masks")


def _mask_file(copy: WorkingCopy, copies: Path) -> Path:
    return mask_folder(copies) / f"{copy.name}.png"


def _write_mask(copy: WorkingCopy, shown: NDArray[np.bool_], copies: Path) -> None:
    file = _mask_file(copy, copies)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(shown).save(file)


def _scaled_box(raster: Raster, ratio: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (edge * ratio for edge in raster.box)
    return max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))
