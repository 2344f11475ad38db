"""Keep what several photos agree on, join their depths, and say how sure we are.

Source: the geometric check of J. Schoenberger et al., "Pixelwise View Selection for Unstructured Multi-View Stereo",
ECCV 2016, section 4.4 (forward-backward reprojection), as used for fusion by Yao et al. 2018.
Imports numpy only; OpenCV is its neighbours' affair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, check
from .filters import Map, sample_linear, sample_nearest, without_speckles
from .matching import outside
from .pictures import Picture, pixel_grid, transfer, transfer_at
from .plane_sweep import Guess
from .records import DepthMap
from .settings import DenseSettings

ENOUGH_VIEWS = 3  # agreeing photos from which on more of them add no confidence
SAME_PATCH = 1.0  # planes of the coarse sweep between neighbouring pixels of one patch
SAME_SURFACE = np.float32(0.02)  # relative difference of depth within one pixel that still is a slant, not a jump


@dataclass(frozen=True)
class Agreement:
    """What the neighbours say to a photo's guess."""

    agreeing: NDArray[np.int32]  # (h, w) neighbours whose surface is at the same place
    conflicting: NDArray[np.int32]  # (h, w) neighbours that see through the place to a surface behind it
    inverse_depth: Map  # (h, w) the guess and all that agree with it, joined
    compared: int  # how many neighbours were asked


def compare(
    reference: Picture,
    guess: Guess,
    others: Sequence[tuple[Picture, Guess]],
    settings: DenseSettings,
    cancel: Cancel,
) -> Agreement:
    """Go from every pixel to the other photo, take its depth there, and come back. Raises Cancelled."""
    columns, rows, _ = pixel_grid(reference.shape).astype(np.float32)
    own = guess.inverse_depth
    agreeing = np.zeros(own.shape, dtype=np.int32)
    conflicting = np.zeros(own.shape, dtype=np.int32)
    depth_sum = 1 / own
    for picture, other in others:
        check(cancel)
        x, y, ratio = transfer(reference, picture)(own)
        theirs = sample_surface(other.inverse_depth, x, y)
        back_x, back_y, back_ratio = transfer_at(picture, reference, x, y)(theirs)
        distance = np.hypot(back_x - columns, back_y - rows)
        # ratio = z_other / z_own of the guess; theirs = 1 / z_other as measured
        depth_error = ratio / own * theirs - 1
        inside = ~outside(x, y, theirs.shape)
        agrees = inside & (distance < settings.agree_pixels) & (np.abs(depth_error) < settings.agree_depth)
        trusted = sample_nearest(other.score, x, y) > settings.trusted_score
        agreeing += agrees
        conflicting += inside & ~agrees & trusted & (depth_error < -settings.conflict_depth)
        depth_sum += np.where(agrees, back_ratio / theirs, 0)
    joined = ((agreeing + 1) / depth_sum).astype(np.float32)
    return Agreement(agreeing, conflicting, joined, len(others))


def sample_surface(inverse_depth: Map, x: Map, y: Map) -> Map:
    """Inverse depth between the pixels of a surface; at its jumps that of the nearest pixel, never a mean of both."""
    nearest = sample_nearest(inverse_depth, x, y)
    between = sample_linear(inverse_depth, x, y)
    return np.where(np.abs(between - nearest) < SAME_SURFACE * nearest, between, nearest)


def keep(
    guess: Guess, agreement: Agreement, settings: DenseSettings, mask: NDArray[np.bool_] | None = None
) -> DepthMap:
    """Depth where other photos agree and the appearance matches; confidence from both.

    Two others must agree, and more than contradict. One is enough where no other photo contradicts it (the place is
    hidden from them, or out of their frame) and the appearance matches well. Specks are dropped, and what `mask` (h, w)
    leaves out.
    confidence = sqrt(clip((score - minimum) / (full - minimum))) * min(agreeing / enough, 1): [0, 1], with
    enough = 3, or 2 where only one other photo could be asked.
    """
    agreeing, conflicting = agreement.agreeing, agreement.conflicting
    several = (agreeing >= 2) & (conflicting < agreeing) & (guess.score > settings.minimum_score)
    one = (agreeing == 1) & (conflicting == 0) & (guess.score > settings.minimum_score_of_one)
    kept = (several | one) & (agreement.inverse_depth > 0)
    if mask is not None:
        kept &= mask
    planes = np.where(kept, agreement.inverse_depth / np.float32(guess.step), 0).astype(np.float32)
    kept &= without_speckles(planes, settings.largest_speckle, SAME_PATCH)
    span = settings.full_score - settings.minimum_score
    appearance = np.sqrt(np.clip((guess.score - settings.minimum_score) / span, 0, 1))
    enough = min(agreement.compared + 1, ENOUGH_VIEWS)
    confidence = appearance * np.clip(agreeing / enough, 0, 1)
    depth = np.where(kept, 1 / np.maximum(agreement.inverse_depth, np.finfo(np.float32).tiny), 0)
    return DepthMap(depth.astype(np.float32), np.where(kept, confidence, 0).astype(np.float32))
