"""All photos of one run: probed in threads, unreadable and repeated ones told apart with their reason.

This module imports nothing beyond the standard library, but its neighbours import Pillow.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PhotoError
from ..progress import Cancel, Progress, check, never, no_progress
from ..reconstruction import LeftOut
from .files import find_each
from .photo import Photo
from .read import probe


@dataclass(frozen=True)
class PhotoSet:
    """What a run works on."""

    photos: tuple[Photo, ...]  # readable and different, in natural order
    left_out: tuple[LeftOut, ...]  # the rest


@dataclass(frozen=True)
class UnreadablePhoto:
    """A file that cannot be used as a photo, or that repeats one."""

    path: Path  # absolute
    sentence: str  # why, for the artist


def threads(asked: int = 0) -> int:
    """How many photos are worked on at once: as many as asked for, else one per core and at most 8.

    Pillow, numpy and OpenCV release the interpreter while they compute; beyond 8 photos at once memory is what lacks.
    """
    return asked or max(1, min(8, os.cpu_count() or 1))


def probe_all(paths: Sequence[Path], cancel: Cancel = never, at_once: int = 0) -> Iterator[Photo | UnreadablePhoto]:
    """What each of the photos at `paths` is: in their order, each as soon as it and all before it are known.

    `at_once` are read side by side (0: see `threads`). Photos have names of their own; copies of earlier ones (same
    bytes) count as unreadable. Raises Cancelled on request.
    """
    taken: set[str] = set()
    first_with: dict[str, str] = {}
    pool = ThreadPoolExecutor(threads(at_once))
    try:
        for path, outcome in zip(paths, pool.map(_probe, paths), strict=True):
            check(cancel)
            if isinstance(outcome, PhotoError):
                yield UnreadablePhoto(path, outcome.sentence)
            elif outcome.sha256 in first_with:
                yield UnreadablePhoto(path, f"It is the same file as {first_with[outcome.sha256]}.")
            else:
                name = _unique_name(outcome, taken)
                taken.add(name.casefold())
                first_with[outcome.sha256] = name
                yield replace(outcome, name=name)
    finally:  # also where nobody wants the rest
        pool.shutdown(cancel_futures=True)


def gather(
    inputs: Iterable[str | Path], progress: Progress = no_progress, cancel: Cancel = never, at_once: int = 0
) -> PhotoSet:
    """All photos that `inputs` name, as `probe_all` has them, those that cannot be used left out with a sentence.

    Names that lead nowhere are left out, too. Raises PhotoError where none is left, Cancelled on request.
    """
    paths, nowhere = find_each(inputs)
    photos: list[Photo] = []
    left_out = [LeftOut(Path(name).name, sentence) for name, sentence in nowhere.items()]
    for number, outcome in enumerate(probe_all(paths, cancel, at_once)):
        progress("Reading photos", (number + 1) / len(paths))
        if isinstance(outcome, UnreadablePhoto):
            left_out.append(LeftOut(outcome.path.name, outcome.sentence))
        else:
            photos.append(outcome)
    if not photos:
        reasons = " ".join(photo.reason for photo in left_out[:3])
        none = f"None of the {len(left_out)} files can be used." if len(left_out) > 1 else ""
        raise PhotoError(f"{none} {reasons}".strip() or "There are no photos: add some first.")
    return PhotoSet(tuple(photos), tuple(left_out))


def _probe(path: Path) -> Photo | PhotoError:
    try:
        return probe(path)
    except PhotoError as error:
        return error


def _unique_name(photo: Photo, taken: Collection[str]) -> str:
    """A photo of the same name as one from another folder gets its folder's name in front."""
    name, number = photo.name, 1
    if name.casefold() in taken:
        name = f"{photo.path.parent.name}_{photo.name}"
    while name.casefold() in taken:
        number += 1
        name = f"{photo.path.stem}_{number}{photo.path.suffix}"
    return name
