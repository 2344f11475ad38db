"""The frames of a clip that may be used, gathered while it goes by, whatever its length.

The clip is cut into pieces of equal time. While a piece goes by, only its sharpest frame so far is held; at its end
that frame's picture is written, and what is kept of it in memory is 5 kB. So memory holds the decoder's own frames, one
more, and one picture.
This module imports PyAV, Pillow and numpy beyond the standard library.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .clip import Clip, frame_name
from .clip_picture import Frame, UprightPictures, grey_pixels
from .frame_choice import Candidate, choose, correlation, sharpness, tiny_picture
from .upright_copy import write_upright_copy

LOOKED_AT = 6  # frames of a piece whose sharpness is measured, at the most
_MEASURED = 960  # pixels: long side of the picture by which sharpness is measured, about what engines work at
_MOST = 2  # times as many pieces as were asked for; then the clip is longer than it says


class Candidates:
    """The sharpest frame of each of about `pieces` pieces of `clip`, with its picture in `folder`, which is made."""

    def __init__(self, clip: Clip, pieces: int, folder: Path) -> None:
        self.candidates: list[Candidate] = []
        self.files: list[Path] = []  # of the candidates
        self.times: list[float] = []  # seconds: of all frames that were measured
        self.correlations: list[float] = []  # between each of them and the next
        self.other_sizes = 0  # frames that are of another size than the first
        self._clip, self._pieces, self._folder = clip, pieces, folder
        self._seconds = clip.duration / pieces  # of a piece
        self._pictures = UprightPictures(clip)
        self._size: tuple[int, int] | None = None  # pixels, as stored
        self._tiny: NDArray[np.float32] | None = None  # of the last frame that was measured
        self._piece = 0  # that goes by
        self._sharpest: tuple[Candidate, Frame] | None = None  # of that piece

    def take(self, time: float, frame: Frame) -> None:
        """The clip's next frame, at `time` seconds."""
        if self.times and time - self.times[-1] < self._seconds / LOOKED_AT:
            return
        self._size = self._size or (frame.width, frame.height)
        if (frame.width, frame.height) != self._size:
            self.other_sizes += 1
            return
        piece = int((time - self._clip.first) / self._seconds)
        if piece != self._piece:
            self.end_piece()
            self._piece = int((time - self._clip.first) / self._seconds)
        candidate = self._measure(time, frame)
        if self._sharpest is None or candidate.sharpness > self._sharpest[0].sharpness:
            self._sharpest = candidate, frame

    def end_piece(self) -> None:
        """Write the picture of the piece that went by; at the clip's end to be called once more."""
        if self._sharpest is None:
            return
        candidate, frame = self._sharpest
        self._sharpest = None
        name = frame_name(self._clip.name, candidate.time)
        if self.files and self.files[-1].name == name:
            return  # less than a millisecond after the one before: no camera's
        self.files.append(write_upright_copy(self._pictures.pixels(frame), name, self._folder))
        self.candidates.append(candidate)
        if len(self.candidates) >= _MOST * self._pieces:
            self._halve()

    def choose(self, budget: int) -> None:
        """Keep at most `budget` of the candidates, and delete the pictures of the others."""
        self._keep(choose(self.candidates, budget))

    def _measure(self, time: float, frame: Frame) -> Candidate:
        grey = grey_pixels(frame, _MEASURED)
        tiny = tiny_picture(grey)
        if self._tiny is not None:
            self.correlations.append(correlation(self._tiny, tiny))
        self._tiny = tiny
        self.times.append(time)
        return Candidate(time, sharpness(grey), tiny)

    def _halve(self) -> None:
        """Of every two pieces make one, so that a clip whose header lies fills no disk."""
        pairs = [range(first, min(first + 2, len(self.candidates))) for first in range(0, len(self.candidates), 2)]
        self._keep([max(pair, key=lambda index: self.candidates[index].sharpness) for pair in pairs])
        self._seconds *= 2

    def _keep(self, kept: Collection[int]) -> None:
        for index, file in enumerate(self.files):
            if index not in kept:
                file.unlink()
        self.files = [self.files[index] for index in kept]
        self.candidates = [self.candidates[index] for index in kept]
