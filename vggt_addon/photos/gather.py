"""All photos of one run: probed in threads, unreadable and repeated ones left out with their reason.

This module imports nothing beyond the standard library, but its neighbours import Pillow.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PhotoError
from ..progress import Cancel, Progress, check, never, no_progress
from ..reconstruction import LeftOut
from .files import find_photos
from .photo import Photo
from .read import probe


@dataclass(frozen=True)
class PhotoSet:
    """What a run works on."""

    photos: tuple[Photo, ...]  # readable and different, in natural order
    left_out: tuple[LeftOut, ...]  # the rest


def threads(asked: int = 0) -> int:
    """How many photos are worked on at once: as many as asked for, else one per core and at most 8.

    Pillow, numpy and OpenCV release the interpreter while they compute; beyond 8 photos at once memory is what lacks.
    """
    return asked or max(1, min(8, os.cpu_count() or 1))


def gather(
    inputs: Iterable[str | Path], progress: Progress = no_progress, cancel: Cancel = never, at_once: int = 0
) -> PhotoSet:
    """Find and probe all photos that `inputs` name, `at_once` side by side (0: see `threads`).

    Photos that cannot be read and copies of earlier ones (same bytes) are left out with a sentence. Raises PhotoError
    where none is left, Cancelled on request.
    """
    paths = find_photos(inputs)
    photos: list[Photo] = []
    left_out: list[LeftOut] = []
    first_with: dict[str, str] = {}
    with ThreadPoolExecutor(threads(at_once)) as pool:
        for number, outcome in enumerate(pool.map(_probe, paths)):
            check(cancel)
            progress("Reading photos", (number + 1) / len(paths))
            if isinstance(outcome, PhotoError):
                left_out.append(LeftOut(paths[number].name, outcome.sentence))
            elif outcome.sha256 in first_with:
                left_out.append(LeftOut(outcome.name, f"It is the same file as {first_with[outcome.sha256]}."))
            else:
                first_with[outcome.sha256] = outcome.name
                photos.append(outcome)
    if not photos:
        reasons = " ".join(photo.reason for photo in left_out[:3])
        raise PhotoError(f"None of the {len(paths)} files can be used. {reasons}")
    return PhotoSet(tuple(_with_unique_names(photos)), tuple(left_out))


def _probe(path: Path) -> Photo | PhotoError:
    try:
        return probe(path)
    except PhotoError as error:
        return error


def _with_unique_names(photos: Sequence[Photo]) -> list[Photo]:
    """Photos of the same name from different folders get their folder's name in front."""
    named: list[Photo] = []
    taken: set[str] = set()
    for photo in photos:
        name, number = photo.name, 1
        if name.casefold() in taken:
            name = f"{photo.path.parent.name}_{photo.name}"
        while name.casefold() in taken:
            number += 1
            name = f"{photo.path.stem}_{number}{photo.path.suffix}"
        taken.add(name.casefold())
        named.append(replace(photo, name=name))
    return named
