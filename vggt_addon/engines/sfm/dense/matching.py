"""How well a photo's pixels look like their places in the neighbouring photos, for a guess of their depth.

Zero-mean normalised cross-correlation (ZNCC) in windows that follow the guessed surface, so that slanted ground does
not tear them, and that weigh their middle most, so that they do not blur silhouettes. The two best neighbours count,
so that a surface hidden from some is still found. Imports numpy only; OpenCV is its neighbours' affair.
"""

from collections.abc import Sequence

import numpy as np

from .filters import Map, local_mean, sample_linear
from .pictures import Picture, Transfer, transfer
from .settings import DenseSettings

VARIANCE_FLOOR = np.float32(4e-5)  # grey^2: noise of a bare wall; keeps its score near 0 instead of random
UNSEEN = np.float32(-1.0)  # score where a neighbour does not see the pixel; below any that is seen
LEAST_SEEN = np.float32(-0.999)
ALONE = np.float32(0.2)  # by how much a missing second score is taken to be worse than the first


class Matcher:
    """Scores guesses of a reference picture's inverse depth against its neighbours."""

    def __init__(self, reference: Picture, neighbours: Sequence[Picture], settings: DenseSettings) -> None:
        self.reference = reference
        self.transfers = [transfer(reference, other) for other in neighbours]
        self._pictures = [other.grey for other in neighbours]
        self._window = settings.window_radius, settings.window_spread
        self._mean = local_mean(reference.grey, *self._window)
        variance = local_mean(reference.grey * reference.grey, *self._window) - self._mean * self._mean
        self._variance = np.maximum(variance, 0) + VARIANCE_FLOOR

    def score(self, inverse_depth: Map | np.float32) -> Map:
        """Mean ZNCC of the two best neighbours, (h, w) in [-1, 1]; `inverse_depth` is one number or one per pixel."""
        return mean_of_best_two(
            [self._score_one(*pair, inverse_depth) for pair in zip(self._pictures, self.transfers, strict=True)]
        )

    def _score_one(self, grey: Map, to_neighbour: Transfer, inverse_depth: Map | np.float32) -> Map:
        x, y, _ = to_neighbour(inverse_depth)
        score = self._correlation(sample_linear(grey, x, y))
        np.maximum(score, LEAST_SEEN, out=score)
        score[outside(x, y, grey.shape)] = UNSEEN
        return score

    def _correlation(self, warped: Map) -> Map:
        """ZNCC: covariance / sqrt(variance * variance), in place where it can be, since this is most of the work."""
        mean = local_mean(warped, *self._window)
        covariance = local_mean(warped * self.reference.grey, *self._window)
        covariance -= self._mean * mean
        np.multiply(warped, warped, out=warped)
        variance = local_mean(warped, *self._window)
        np.multiply(mean, mean, out=mean)
        variance -= mean
        np.maximum(variance, 0, out=variance)
        variance += VARIANCE_FLOOR
        variance *= self._variance
        np.sqrt(variance, out=variance)
        covariance /= variance
        return covariance


def outside(x: Map, y: Map, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """True where pixel positions (centres at integers) lie off a picture of that shape."""
    return (x < -0.5) | (x > shape[1] - 0.5) | (y < -0.5) | (y > shape[0] - 0.5)


def mean_of_best_two(scores: Sequence[Map]) -> Map:
    """Mean of the two largest of the maps at every pixel; of the one map if there is only one.

    Where a single neighbour sees the pixel, its score counts, less a little, so that places which two see are
    preferred but the borders of the photo are not lost.
    """
    best = scores[0]
    if len(scores) == 1:
        return best
    second = np.minimum(best, scores[1])
    best = np.maximum(best, scores[1])
    for score in scores[2:]:
        np.maximum(second, np.minimum(best, score), out=second)
        np.maximum(best, score, out=best)
    np.subtract(best, ALONE, out=second, where=(second <= UNSEEN) & (best > UNSEEN))
    best += second
    best *= np.float32(0.5)
    return best
