"""Depth of every photo from known cameras, on the CPU.

Per photo: neighbours and depth range from the sparse points (`neighbours`); a sweep of planes at half size
(`plane_sweep`) that compares windows (`matching`) and joins their costs along paths (`semi_global`); a search close to
the surface that was found (`refinement`). What the photos agree on (`consistency`) leads another search where they
do not (`guidance`), once at half and once at full size. What they agree on in the end is the result.

Memory: per photo its pictures and last result (about 5 MB at 512 x 384); per thread one cost volume and its sums
(at most 120 MB at 512 x 384 with 256 planes).

OpenCV does the warps and box filters, numpy everything else. This package imports nothing beyond these two.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, Progress, check, never, no_progress, span
from .consistency import compare, keep
from .guidance import better_start
from .held import as_guess, at_size
from .matching import Matcher
from .neighbours import Surroundings, surroundings
from .pictures import Picture, picture
from .plane_sweep import Guess, sweep
from .records import DenseView, DepthMap
from .refinement import enlarged, refine
from .settings import DEFAULTS, DenseSettings
from .workers import map_photos, single_threaded_opencv

Result = TypeVar("Result")

__all__ = ["DenseSettings", "DenseView", "DepthMap", "estimate_depth"]


def estimate_depth(
    views: Sequence[DenseView],
    track_positions: NDArray[np.float64],
    settings: DenseSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
    held: Mapping[int, DepthMap] = MappingProxyType({}),
) -> list[DepthMap]:
    """One depth map per view, in their order.

    track_positions: (m, 3) float64, world, indexed by track id. Views may differ in size, orientation and intrinsics.
    Confidence grows with the likeness of the pictures and the number of photos that agree (formula:
    `consistency.keep`). Views that `held` names by their index have the depth that it says, and only help to measure
    the others. A view without neighbours ends with no depth at all. The result depends on the input alone, not on the
    number of threads. Raises Cancelled within about a second of `cancel` answering True.
    """
    with single_threaded_opencv():
        return _Estimation(views, track_positions, settings, progress, cancel, held).run()


class _Estimation:
    """One call of `estimate_depth`: its steps, and what they share."""

    def __init__(
        self,
        views: Sequence[DenseView],
        track_positions: NDArray[np.float64],
        settings: DenseSettings,
        progress: Progress,
        cancel: Cancel,
        held: Mapping[int, DepthMap],
    ) -> None:
        self.held = held
        self.settings = settings
        self.progress = progress
        self.cancel = cancel
        self.around = surroundings(views, track_positions, settings, cancel)
        self.fine: list[Picture] = []
        self.pictures: list[Picture] = []  # those of the size worked at
        for view in views:
            check(cancel)
            self.fine.append(picture(view))
            self.pictures.append(picture(view, settings.sweep_scale))
        self.guesses: list[Guess | None] = []
        self.measured: list[DepthMap] = []

    def run(self) -> list[DepthMap]:
        self.guesses = self._each(self._sweep, 0.0, 0.3)
        self._rounds(self.settings.coarse_rounds, 0.3, 0.4)
        self.pictures = self.fine
        self.guesses = self._each(self._enlarge, 0.4, 0.55)
        self._rounds(self.settings.fine_rounds, 0.55, 0.95)
        return self._each(self._check, 0.95, 1.0)

    def _each(self, task: Callable[[int, Cancel], Result], start: float, end: float) -> list[Result]:
        """The task for every photo; start and end are shares of the whole work."""
        photos = range(len(self.around))
        part = span(self.progress, start, end)
        return map_photos(task, photos, self.settings.threads, "Measuring depth", part, self.cancel)

    def _rounds(self, count: int, start: float, end: float) -> None:
        """Compare the photos' guesses, and search again where they disagree; `count` times."""
        ends = np.linspace(start, end, 2 * count + 1).tolist()
        for first, middle, last in zip(ends[::2], ends[1::2], ends[2::2], strict=False):
            self.measured = self._each(self._check, first, middle)
            self.guesses = self._each(self._improve, middle, last)

    def _sweep(self, index: int, cancel: Cancel) -> Guess | None:
        if index in self.held:
            return self._known(index)
        around = self.around[index]
        if around is None:
            return None
        matcher = self._matcher(index, around)
        return sweep(matcher, around.nearest, around.farthest, self.settings, cancel)

    def _enlarge(self, index: int, cancel: Cancel) -> Guess | None:
        if index in self.held:
            return self._known(index)
        guess, around = self.guesses[index], self.around[index]
        if guess is None or around is None:
            return None
        guess = enlarged(guess, self.pictures[index].shape)
        return refine(self._matcher(index, around), guess, self.settings, cancel)

    def _improve(self, index: int, cancel: Cancel) -> Guess | None:
        guess, around = self.guesses[index], self.around[index]
        if guess is None or around is None or index in self.held:
            return guess
        matcher = self._matcher(index, around)
        others = [(self.pictures[other], self.measured[other]) for other in self._checked(around)]
        radii = self.settings.guide_radii
        if self.pictures is self.fine:
            radii = tuple(round(radius / self.settings.sweep_scale) for radius in radii)
        start = better_start(matcher, guess, self.measured[index], others, radii, self.settings, cancel)
        return refine(matcher, start, self.settings, cancel)

    def _check(self, index: int, cancel: Cancel) -> DepthMap:
        guess, around, reference = self.guesses[index], self.around[index], self.pictures[index]
        if index in self.held:
            return at_size(self.held[index], reference.shape)
        if guess is None or around is None:
            unknown = np.zeros(reference.shape, dtype=np.float32)
            return DepthMap(unknown, unknown.copy())
        guesses = ((self.pictures[other], self.guesses[other]) for other in self._checked(around))
        others = [(its_picture, its_guess) for its_picture, its_guess in guesses if its_guess is not None]
        return keep(guess, compare(reference, guess, others, self.settings, cancel), self.settings, reference.mask)

    def _known(self, index: int) -> Guess | None:
        return as_guess(at_size(self.held[index], self.pictures[index].shape), self.settings)

    def _matcher(self, index: int, around: Surroundings) -> Matcher:
        nearby = [self.pictures[other] for other in around.neighbours[: self.settings.sweep_neighbours]]
        return Matcher(self.pictures[index], nearby, self.settings)

    def _checked(self, around: Surroundings) -> tuple[int, ...]:
        return around.neighbours[: self.settings.check_neighbours]
