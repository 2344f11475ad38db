"""Photos whose depth is known already: others are measured against them, and they stay as they are.

This module imports numpy and OpenCV.
"""

import cv2
import numpy as np

from .plane_sweep import Guess
from .records import DepthMap
from .settings import DenseSettings

BEYOND = 1e-3  # of the smallest inverse depth: where nothing is known, a surface that agrees with none


def at_size(held: DepthMap, shape: tuple[int, int]) -> DepthMap:
    """The known depth on a grid of another size (h, w): that of the nearest pixel, never a mean across a jump."""
    if held.depth.shape == shape:
        return held
    depth, confidence = (
        np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_NEAREST), np.float32)
        for values in (held.depth, held.confidence)
    )
    return DepthMap(depth, confidence)


def as_guess(held: DepthMap, settings: DenseSettings) -> Guess | None:
    """The known depth as what a search has found; None where nothing is known.

    The score is the one from which confidence follows where enough photos agree (`consistency.keep`): so only what is
    sure contradicts others.
    """
    known = held.depth > 0
    if not known.any():
        return None
    inverse_depth = 1 / np.where(known, held.depth, np.float32(1))
    nothing = np.float32(BEYOND) * inverse_depth[known].min()
    span = settings.full_score - settings.minimum_score
    score = np.where(known, settings.minimum_score + span * held.confidence**2, 0)
    return Guess(np.where(known, inverse_depth, nothing).astype(np.float32), float(nothing), score.astype(np.float32))
