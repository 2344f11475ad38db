"""Which frames of a clip to use: sharp ones, far apart where the camera moves, few where it stands still.

Of every clip the same frames are chosen again: nothing here is random or depends on the machine.
This module imports nothing beyond the standard library and numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SLOTS = 3  # pieces of equal time for each frame of the budget; the sharpest frame of each piece is a candidate
TINY = (48, 27)  # pixels: width and height of the picture that frames are compared by; an average over noise
SAME = 0.02  # of `difference`: two frames that differ less show the same picture
CUT = 0.25  # correlation of two tiny pictures below which they may be of different takes
SMOOTH = 0.75  # median correlation of neighbours from which on a drop below CUT is a cut, and not how the clip is
_TIME_SHARE = 0.15  # of the spacing: so much goes by time, the rest by motion
_FLAT = 4.0  # levels of 255: contrast below which a difference is noise


@dataclass(frozen=True)
class Candidate:
    """The sharpest frame of its piece of the clip."""

    time: float  # seconds
    sharpness: float  # see `sharpness`
    tiny: NDArray[np.float32]  # (27, 48) grey


def sharpness(grey: NDArray[np.float32]) -> float:
    """Variance of the Laplacian of a grey picture (h, w): blur of any kind, of motion or focus, lowers it.

    Comparable between frames that show about the same.
    """
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var()) if laplacian.size else 0.0


def tiny_picture(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(27, 48): averages over the cells of a grey picture (h, w) of at least that size; smaller ones repeat pixels."""
    rows = np.linspace(0, grey.shape[0], TINY[1] + 1).astype(int)
    columns = np.linspace(0, grey.shape[1], TINY[0] + 1).astype(int)
    heights, widths = np.maximum(np.diff(rows), 1), np.maximum(np.diff(columns), 1)
    sums = np.add.reduceat(np.add.reduceat(grey, np.minimum(rows[:-1], grey.shape[0] - 1), axis=0),
                           np.minimum(columns[:-1], grey.shape[1] - 1), axis=1)  # fmt: skip
    return np.asarray(sums / heights[:, None] / widths[None, :], np.float32)


def difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """How much two tiny pictures differ: 0 for equal ones, about 0.5 for two that have nothing in common.

    A change of brightness or exposure alone is no difference.
    """
    spread = float(first.std() + second.std()) + _FLAT
    return float(np.abs((first - first.mean()) - (second - second.mean())).mean()) / spread


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of two tiny pictures, in [-1, 1]; 1 where both are flat."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > _FLAT**2 * first.size else 1.0


def choose(candidates: Sequence[Candidate], budget: int) -> list[int]:
    """Indices of at most `budget` candidates, rising.

    The way through the clip, measured by how much the picture changes and a little by time, is cut into `budget` pieces
    of one length; of each the sharpest candidate is taken, those near its middle preferred, so that two are not
    neighbours across a border. What then shows the same as the one before it is dropped.
    """
    if len(candidates) <= budget:
        return _without_repeats(candidates, list(range(len(candidates))))
    place = _places(candidates)
    best: dict[int, tuple[float, int]] = {}
    for index, candidate in enumerate(candidates):
        cell = min(int(place[index] * budget), budget - 1)
        offset = abs(2 * (place[index] * budget - cell) - 1)  # 0 in the cell's middle, 1 at its borders
        score = candidate.sharpness * (1 - 0.6 * offset)
        if cell not in best or score > best[cell][0]:
            best[cell] = (score, index)
    return _without_repeats(candidates, sorted(index for _, index in best.values()))


def cuts(times: Sequence[float], correlations: Sequence[float]) -> list[float]:
    """Times at which another take begins; `correlations[i]` is between the frames at `times[i]` and `times[i + 1]`."""
    if not correlations or float(np.median(correlations)) < SMOOTH:
        return []
    return [times[index + 1] for index, value in enumerate(correlations) if value < CUT]


def _places(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Where on the way from the first candidate to the last each is: (n,) from 0 to 1."""
    times = np.array([candidate.time for candidate in candidates])
    by_time = (times - times[0]) / (times[-1] - times[0])
    steps = [difference(a.tiny, b.tiny) for a, b in pairwise(candidates)]
    way = np.concatenate([[0.0], np.cumsum(steps)])
    if way[-1] < SAME:
        return np.asarray(by_time)
    return np.asarray((1 - _TIME_SHARE) * way / way[-1] + _TIME_SHARE * by_time)


def _without_repeats(candidates: Sequence[Candidate], chosen: list[int]) -> list[int]:
    kept: list[int] = []
    for index in chosen:
        if not kept or difference(candidates[kept[-1]].tiny, candidates[index].tiny) >= SAME:
            kept.append(index)
    return kept
