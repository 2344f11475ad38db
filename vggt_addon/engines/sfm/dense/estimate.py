"""Depth of every photo from known cameras, on the CPU.

Per photo: neighbours and depth range from the sparse points (`neighbours`); a sweep of planes at half size
(`plane_sweep`) whose costs are joined along paths (`semi_global`); a search close to the surface that was found, at
full size (`refinement`); then what the neighbours agree on is kept (`consistency`).

OpenCV does the warps and box filters, numpy everything else. This package imports nothing beyond these two.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, Progress, never, no_progress, span
from .consistency import compare, keep
from .neighbours import Surroundings, surroundings
from .pictures import Picture, picture
from .plane_sweep import Guess, sweep
from .records import DenseView, DepthMap
from .refinement import enlarged, refine
from .settings import DEFAULTS, DenseSettings
from .workers import map_photos, single_threaded_opencv

__all__ = ["DenseSettings", "DenseView", "DepthMap", "estimate_depth"]


def estimate_depth(
    views: Sequence[DenseView],
    track_positions: NDArray[np.float64],
    settings: DenseSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> list[DepthMap]:
    """One depth map per view, in their order.

    track_positions: (m, 3) float64, world, indexed by track id. Views may differ in size, orientation and intrinsics.
    A view without neighbours ends with no depth at all. The result depends on the input alone, not on the number of
    threads. Raises Cancelled within about a second of `cancel` answering True.
    """
    with single_threaded_opencv():
        return _Estimation(views, track_positions, settings, progress, cancel).run()


class _Estimation:
    """One call of `estimate_depth`: what its steps share."""

    def __init__(
        self,
        views: Sequence[DenseView],
        track_positions: NDArray[np.float64],
        settings: DenseSettings,
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        self.views = views
        self.settings = settings
        self.progress = progress
        self.cancel = cancel
        self.around = surroundings(views, track_positions, settings)
        self.pictures = [picture(view) for view in views]
        self.small = [picture(view, settings.sweep_scale) for view in views]

    def run(self) -> list[DepthMap]:
        everyone = range(len(self.views))
        matching, checking = span(self.progress, 0.0, 0.9), span(self.progress, 0.9, 1.0)
        threads = self.settings.threads
        self.guesses = map_photos(self._guess, everyone, threads, "Matching photos", matching, self.cancel)
        return map_photos(self._check, everyone, threads, "Comparing depths", checking, self.cancel)

    def _guess(self, index: int, cancel: Cancel) -> Guess | None:
        around = self.around[index]
        if around is None:
            return None
        nearby = around.neighbours[: self.settings.sweep_neighbours]
        guess = sweep(
            self.small[index],
            [self.small[other] for other in nearby],
            around.nearest,
            around.farthest,
            self.settings,
            cancel,
        )
        reference = self.pictures[index]
        guess = enlarged(guess, reference.shape)
        return refine(reference, [self.pictures[other] for other in nearby], guess, self.settings, cancel)

    def _check(self, index: int, cancel: Cancel) -> DepthMap:
        guess, around = self.guesses[index], self.around[index]
        if guess is None or around is None:
            empty = np.zeros(self.pictures[index].shape, dtype=np.float32)
            return DepthMap(empty, empty.copy())
        others = self._guesses_of(around)
        agreement = compare(self.pictures[index], guess, others, self.settings, cancel)
        return keep(guess, agreement, self.settings)

    def _guesses_of(self, around: Surroundings) -> list[tuple[Picture, Guess]]:
        nearby = around.neighbours[: self.settings.check_neighbours]
        return [(self.pictures[other], guess) for other in nearby if (guess := self.guesses[other]) is not None]
