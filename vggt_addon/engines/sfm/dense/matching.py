"""How well a photo's pixels look like their places in the neighbouring photos, for a guess of their depth.

Zero-mean normalised cross-correlation (ZNCC) in square windows that follow the guessed surface, so that windows on
slanted ground are not torn; the two best neighbours count, so that a surface hidden in some is still found.
Imports numpy only.
"""

from collections.abc import Sequence

import numpy as np

from .filters import Map, box_mean, sample_linear
from .pictures import Picture, Transfer, transfer

VARIANCE_FLOOR = np.float32(4e-5)  # grey^2: noise of a bare wall; keeps its score near 0 instead of random
UNSEEN = np.float32(-1.0)  # score where a neighbour does not see the pixel


class Window:
    """ZNCC of a reference picture against warped pictures, in a window of (2 radius + 1)^2 pixels."""

    def __init__(self, grey: Map, radius: int) -> None:
        self._radius = radius
        self._mean = box_mean(grey, radius)
        variance = box_mean(grey * grey, radius) - self._mean * self._mean
        self._variance = np.maximum(variance, 0) + VARIANCE_FLOOR

    def score(self, warped: Map, warped_squared: Map, product: Map) -> Map:
        """ZNCC (h, w); `product` is the reference times `warped`."""
        mean = box_mean(warped, self._radius)
        covariance = box_mean(product, self._radius)
        covariance -= self._mean * mean
        variance = box_mean(warped_squared, self._radius)
        np.multiply(mean, mean, out=mean)
        variance -= mean
        np.maximum(variance, 0, out=variance)
        variance += VARIANCE_FLOOR
        variance *= self._variance
        np.sqrt(variance, out=variance)
        covariance /= variance
        return covariance


class Matcher:
    """Scores guesses of a reference picture's inverse depth against its neighbours."""

    def __init__(self, reference: Picture, neighbours: Sequence[Picture], radii: Sequence[int]) -> None:
        self._reference = reference
        self._windows = [Window(reference.grey, radius) for radius in radii]
        self._neighbours = [(other.grey, transfer(reference, other)) for other in neighbours]

    def score(self, inverse_depth: Map | np.float32) -> Map:
        """Mean ZNCC of the two best neighbours, (h, w) in [-1, 1]; `inverse_depth` is one number or one per pixel."""
        return mean_of_best_two([self._score_one(grey, to, inverse_depth) for grey, to in self._neighbours])

    def _score_one(self, grey: Map, to_neighbour: Transfer, inverse_depth: Map | np.float32) -> Map:
        x, y, _ = to_neighbour(inverse_depth)
        warped = sample_linear(grey, x, y)
        squared = warped * warped
        product = warped * self._reference.grey
        score = self._windows[0].score(warped, squared, product)
        for window in self._windows[1:]:
            score += window.score(warped, squared, product)
        score /= np.float32(len(self._windows))
        score[outside(x, y, grey.shape)] = UNSEEN
        return score


def outside(x: Map, y: Map, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """True where pixel positions (centres at integers) lie off a picture of that shape."""
    return (x < -0.5) | (x > shape[1] - 0.5) | (y < -0.5) | (y > shape[0] - 0.5)


def mean_of_best_two(scores: Sequence[Map]) -> Map:
    """Mean of the two largest of the maps at every pixel; of the one map if there is only one."""
    best = scores[0]
    if len(scores) == 1:
        return best
    second = np.minimum(best, scores[1])
    best = np.maximum(best, scores[1])
    for score in scores[2:]:
        np.maximum(second, np.minimum(best, score), out=second)
        np.maximum(best, score, out=best)
    best += second
    best *= np.float32(0.5)
    return best
