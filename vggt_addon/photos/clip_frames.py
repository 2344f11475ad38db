"""The frames of a clip that are used: chosen and written to files in one pass over the clip.

This module imports PyAV, Pillow and numpy beyond the standard library.
"""

from dataclasses import dataclass
from pathlib import Path

from ..clock import clock
from ..errors import PhotoError
from ..progress import Cancel, Progress, never, no_progress
from ..reconstruction import Json
from .clip import Clip, frame_name, frame_photo
from .clip_candidates import Candidates
from .clip_reader import Reading
from .frame_choice import SLOTS, cuts
from .photo import Photo

_KEY_FRAMES = 2  # in each piece: with so many of them, the frames in between, which take the time, are not decoded
_MOST_CUTS = 3  # that are named
_MISSING = 0.1  # of a clip, by time: where more is, it was cut off


@dataclass(frozen=True)
class ClipFrames:
    """What became of a clip."""

    photos: tuple[Photo, ...]  # the chosen frames in the order of time
    warnings: tuple[str, ...]  # sentences for the artist
    report: dict[str, Json]  # for the Reconstruction's report


def take_frames(
    clip: Clip, budget: int, folder: Path, progress: Progress = no_progress, cancel: Cancel = never, threads: int = 0
) -> ClipFrames:
    """Choose up to `budget` frames of `clip` and write each as an upright sRGB picture into `folder`, which is made.

    The same file and budget give the same frames. `threads` decode (0: as many as there are cores). Raises PhotoError
    where no frame can be read, Cancelled on request.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} frames")
    pieces = SLOTS * budget
    key_frames_only = clip.key_frames >= _KEY_FRAMES * pieces
    reading = Reading(clip.path, key_frames_only=key_frames_only, threads=threads, cancel=cancel)
    seen = Candidates(clip, pieces, folder)
    for time, frame in reading:
        progress("Choosing frames", min(max((time - clip.first) / clip.duration, 0.0), 1.0))
        seen.take(time, frame)
    seen.end_piece()
    if not seen.candidates:
        raise PhotoError(f"{clip.path.name} holds no frame that can be read: it is damaged, or has changed.")
    found = len(seen.candidates)
    seen.choose(budget)
    photos = tuple(
        frame_photo(clip, candidate.time, frame_name(clip.name, candidate.time), file)
        for candidate, file in zip(seen.candidates, seen.files, strict=True)
    )
    warnings = [*_of_the_file(clip, reading, seen), *_of_the_content(clip, seen)]
    if len(photos) == 1 < min(found, budget):
        warnings.append(f"{clip.name} hardly moves: all its frames show the same picture, and one of them was used.")
    return ClipFrames(photos, tuple(warnings), _report(clip, seen))


def _of_the_file(clip: Clip, reading: Reading, seen: Candidates) -> list[str]:
    """What the artist should know of the file, each a sentence."""
    told = []
    missing = clip.first + clip.duration - seen.times[-1]
    between = clip.duration / (clip.key_frames if reading.key_frames_only else clip.frames)
    if missing > max(_MISSING * clip.duration, 2 * between):
        end, claimed = clock(seen.times[-1]), clock(clip.first + clip.duration)
        told.append(f"{clip.name} can be read up to {end} of {claimed} only: it is damaged, or its end was cut off.")
    elif reading.damaged:
        told.append(f"{clip.name} is damaged: only the frames that can be read were used.")
    if seen.other_sizes:
        told.append(f"{clip.name} changes its size: only the frames of its first size were used.")
    if clip.hdr:
        told.append(f"{clip.name} is HDR ({clip.hdr}): its frames were brought to sRGB, its brightest parts are cut.")
    if clip.interlaced:
        told.append(f"{clip.name} is interlaced: its frames mix two moments, and fine detail suffers where it moves.")
    return told


def _of_the_content(clip: Clip, seen: Candidates) -> list[str]:
    """What the artist should know of what the clip shows."""
    found = cuts(seen.times, seen.correlations)
    if not found:
        return []
    places = ", ".join(map(clock, found[:_MOST_CUTS])) + (" and later" if len(found) > _MOST_CUTS else "")
    return [f"{clip.name} seems cut (at {places}): takes of different places belong in files of their own."]


def _report(clip: Clip, seen: Candidates) -> dict[str, Json]:
    return {
        "name": clip.name,
        "sha256": clip.sha256,
        "timecode": clip.timecode,  # of the frame at `first`
        "first": clip.first,
        "seconds": clip.duration,
        "frames": clip.frames,
        "frames_looked_at": len(seen.times),
        "frames_used": len(seen.candidates),
    }
