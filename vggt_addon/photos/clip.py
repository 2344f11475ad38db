"""What is known of one clip before its frames are chosen, and what its frames are called.

This module imports nothing beyond the standard library.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .photo import ClipFrame, Photo

_LONGEST_STEM = 180  # bytes: file systems take 255 for a name, of which the time, a suffix and a number need some
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in names of files, on Windows


@dataclass(frozen=True)
class Clip:
    """A clip of which at least the first frame can be read. Sizes are of the upright picture with square pixels."""

    path: Path  # absolute
    name: str  # the file's name, made unique among the photos and clips of one run
    sha256: str  # of the file's bytes, hex
    width: int  # pixels, upright, square
    height: int  # pixels, upright, square
    orientation: int  # 1..8 as in EXIF: how the stored frames are to be turned
    stretched: tuple[int, int]  # pixels: width and height of the stored frame once its pixels are square
    first: float  # seconds: the first frame's presentation stamp
    duration: float  # seconds from the first frame's beginning to the last one's end, as the file claims
    frames: int  # how many there are, as the file claims; a guess from its rate where it does not say
    key_frames: int  # how many frames stand for themselves, as far as the file's index tells
    timecode: str  # of the first frame, "01:00:00:00"; "" where the file has none
    hdr: str  # "PQ" or "HLG" where brightness goes beyond a screen's white, else ""
    interlaced: bool  # each frame mixes two moments


def frame_name(clip: str, time: float) -> str:
    """File name of the frame at `time` seconds of the clip called `clip`: sortable, and safe on any disk.

    "walk.mp4" at 63.25 s gives "walk_01-03.250.jpg". Frames a millisecond apart, which is closer than any camera's,
    have names of their own.
    """
    milliseconds = round(abs(time) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    sign = "-" if time < 0 and (minutes or milliseconds) else ""
    stem = _FORBIDDEN.sub("_", Path(clip).stem)
    while len(os.fsencode(stem)) > _LONGEST_STEM:
        stem = stem[:-1]
    return f"{stem}_{sign}{minutes:02d}-{milliseconds // 1000:02d}.{milliseconds % 1000:03d}.jpg"


def frame_photo(clip: Clip, time: float, name: str, path: Path) -> Photo:
    """The frame at `time` as a photo whose picture is at `path`. All frames of a clip share one lens."""
    return Photo(
        path=path,
        name=name,
        sha256=clip.sha256,
        width=clip.width,
        height=clip.height,
        orientation=1,
        focal_prior=None,
        lens=f"clip {clip.sha256[:12]}",
        shown_as_is=True,
        frame=ClipFrame(clip.path, time),
    )


def planned_photos(clip: Clip, budget: int) -> list[Photo]:
    """Stand-ins for the frames that a run would take, as many as it takes at the most; no file is behind them."""
    count = min(budget, clip.frames)
    times = [clip.first + clip.duration * (number + 0.5) / count for number in range(count)]
    return [frame_photo(clip, time, frame_name(clip.name, time), clip.path) for time in times]
