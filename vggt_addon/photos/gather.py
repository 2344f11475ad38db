"""All photos of one run: probed in threads, unreadable and repeated ones told apart with their reason.

Clips are looked at side by side with the photos; their frames are taken one clip after another.
This module imports nothing beyond the standard library, but its neighbours import Pillow and, where a clip is given,
PyAV.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import PhotoError
from ..photo_names import is_clip
from ..progress import Cancel, Progress, check, never, no_progress, span
from ..reconstruction import Json, LeftOut
from ..settings import FRAMES_PER_CLIP
from .clip import Clip, planned_photos
from .files import find_each
from .masks import unused_masks, with_mask
from .photo import Photo
from .read import probe
from .strips import threads

if TYPE_CHECKING:
    from .clip_frames import ClipFrames

Named = TypeVar("Named", bound=Photo | Clip)


@dataclass(frozen=True)
class PhotoSet:
    """What a run works on."""

    photos: tuple[Photo, ...]  # readable and different, in natural order; a clip's frames stand where the clip would
    left_out: tuple[LeftOut, ...]  # the rest
    warnings: tuple[str, ...] = ()  # sentences for the artist
    clips: tuple[dict[str, Json], ...] = ()  # for the report: what each clip is, and how many of its frames are used


@dataclass(frozen=True)
class UnreadablePhoto:
    """A file that cannot be used as a photo or clip, or that repeats one."""

    path: Path  # absolute
    sentence: str  # why, for the artist


def probe_all(
    paths: Sequence[Path], cancel: Cancel = never, at_once: int = 0, taken: set[str] | None = None
) -> Iterator[Photo | Clip | UnreadablePhoto]:
    """What each of the photos and clips at `paths` is: in their order, each once it and all before it are known.

    `at_once` are read side by side (0: see `threads`). They have names of their own, none of them one of `taken`, to
    which these are added; copies of earlier ones (same bytes) count as unreadable. Raises Cancelled on request.
    """
    taken = set() if taken is None else taken
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
                named = _named(outcome, taken)
                first_with[outcome.sha256] = named.name
                yield named
    finally:  # also where nobody wants the rest
        pool.shutdown(cancel_futures=True)


def gather(
    inputs: Iterable[str | Path],
    progress: Progress = no_progress,
    cancel: Cancel = never,
    at_once: int = 0,
    *,
    frames_per_clip: int = FRAMES_PER_CLIP,
    folder: Path | None = None,
    taken: Iterable[str] = (),
) -> PhotoSet:
    """All photos that `inputs` name, as `probe_all` has them, those that cannot be used left out with a sentence.

    Names that lead nowhere are left out, too. Of each clip `frames_per_clip` frames at the most are chosen and written
    to `folder`; without a folder stand-ins for as many take their place, for a plan. None gets a name that is one of
    `taken`. Raises PhotoError where none is left, Cancelled on request.
    """
    paths, nowhere = find_each(inputs)
    names = {name.casefold() for name in taken}
    photos: list[Photo] = []
    left_out = [LeftOut(Path(name).name, sentence) for name, sentence in nowhere.items()]
    warnings: list[str] = []
    clips: list[dict[str, Json]] = []
    for number, outcome in enumerate(probe_all(paths, cancel, at_once, names)):
        step = span(progress, number / len(paths), (number + 1) / len(paths))
        if isinstance(outcome, UnreadablePhoto):
            left_out.append(LeftOut(outcome.path.name, outcome.sentence))
        elif isinstance(outcome, Photo):
            photos.append(outcome)
            warnings += [outcome.remark] if outcome.remark else []
        elif folder is None:
            photos += planned_photos(outcome, frames_per_clip)
        else:
            try:
                frames = _take_frames(outcome, frames_per_clip, folder / f"{number:05d}", step, cancel, at_once)
            except PhotoError as error:
                left_out.append(LeftOut(outcome.name, error.sentence))
                continue
            masked = [with_mask(photo) for photo in frames.photos]
            photos += [_named(photo, names) for photo in masked]
            warnings += [*frames.warnings, *dict.fromkeys(photo.remark for photo in masked if photo.remark)]
            clips.append(frames.report)
        step("Reading photos", 1.0)
    if not photos:
        reasons = " ".join(photo.reason for photo in left_out[:3])
        none = f"None of the {len(left_out)} files can be used." if len(left_out) > 1 else ""
        raise PhotoError(f"{none} {reasons}".strip() or "There are no photos: add some first.")
    return PhotoSet(tuple(photos), tuple(left_out), (*warnings, *unused_masks(paths)), tuple(clips))


def _probe(path: Path) -> Photo | Clip | PhotoError:
    try:
        return _probe_clip(path) if is_clip(path) else with_mask(probe(path))
    except PhotoError as error:
        return error


def _probe_clip(path: Path) -> Clip:
    """Raises PhotoError also where the library that reads clips is missing: photos go on without it."""
    try:
        from .clip_reader import probe_clip
    except ImportError as error:
        sentence = (
            f"{path.name} is a clip, and PyAV, which reads clips, is not installed or does not run on this system"
        )
        raise PhotoError(f"{sentence}: give photos, or install the extension again.", repr(error)) from error
    return probe_clip(path)


def _take_frames(
    clip: Clip, budget: int, folder: Path, progress: Progress, cancel: Cancel, at_once: int
) -> "ClipFrames":
    from .clip_frames import take_frames

    return take_frames(clip, budget, folder, progress, cancel, threads(at_once))


def _named(one: Named, taken: set[str]) -> Named:
    """With a name that none of `taken` is, which then is taken."""
    name = _unique_name(one.name, one.original if isinstance(one, Photo) else one.path, taken)
    taken.add(name.casefold())
    return replace(one, name=name)


def _unique_name(name: str, file: Path, taken: Collection[str]) -> str:
    """A photo of the same name as one from another folder gets its folder's name in front."""
    unique, number = name, 1
    if unique.casefold() in taken:
        unique = f"{file.parent.name}_{name}"
    while unique.casefold() in taken:
        number += 1
        unique = f"{Path(name).stem}_{number}{Path(name).suffix}"
    return unique
