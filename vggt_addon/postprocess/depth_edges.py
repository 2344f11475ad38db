"""Where a depth map jumps from one surface to another, so that a relief must not be drawn across.

A plane is linear in inverse depth: with x = (u, v, 1) a pixel and n . X = d the plane, 1 / z = n . K^-1 x / d. So a
surface, however grazing, continues its own slope in inverse depth, and a silhouette is where neither side's slope
foretells the other side. This needs no intrinsics and no unit.
This module imports nothing beyond the standard library and numpy.
"""

import numpy as np
from numpy.typing import NDArray

STEP = 0.02  # of the nearer surface's inverse depth: a jump of 2 % in depth
NOISE_FACTOR = 5.0  # standard deviations of the map's own noise that a jump must exceed
LARGEST_STEP = 0.1  # however noisy the map
WIDEST_RAMP = 3  # grid pixels over which an engine may have blurred a jump
SLOPE_SHARE = 0.75  # a crease leaves a residual of half its steeper side's slope, a jump far more


def depth_edges(depth: NDArray[np.float32], step: float = STEP) -> NDArray[np.bool_]:
    """The cells between 4 neighbouring grid pixels that span a silhouette: (h - 1, w - 1) bool.

    `depth` (h, w), along the optical axis, > 0 everywhere, any unit. `step` is the smallest jump, as a share of the
    nearer depth, that counts; it rises with the noise that the map itself shows. A jump blurred over up to
    WIDEST_RAMP pixels is found as well. Raises ValueError where depth is not positive.
    """
    if depth.ndim != 2 or not depth.size or not (depth > 0).all():
        raise ValueError("depth edges need a whole depth map: 2 dimensions, > 0 everywhere")
    inverse_depth = 1.0 / depth.astype(np.float64)
    threshold = min(max(step, NOISE_FACTOR * _relative_noise(inverse_depth)), max(step, LARGEST_STEP))
    across_columns = _broken_links(inverse_depth, threshold)
    across_rows = _broken_links(inverse_depth.T, threshold).T
    cells = across_columns[:-1] | across_columns[1:] | across_rows[:, :-1] | across_rows[:, 1:]
    return np.ascontiguousarray(cells)


def touching(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The grid pixels that are a corner of a marked cell: edges (h - 1, w - 1) to (h, w) bool."""
    pixels = np.zeros((edges.shape[0] + 1, edges.shape[1] + 1), bool)
    pixels[:-1, :-1] |= edges
    pixels[:-1, 1:] |= edges
    pixels[1:, :-1] |= edges
    pixels[1:, 1:] |= edges
    return pixels


def _relative_noise(inverse_depth: NDArray[np.float64]) -> float:
    """Standard deviation of second differences relative to the value: robust (median), 0 for planes."""
    bends = [
        np.abs(array[:, 2:] - 2.0 * array[:, 1:-1] + array[:, :-2]) / array[:, 1:-1]
        for array in (inverse_depth, inverse_depth.T)
    ]
    samples = np.concatenate([bend.ravel() for bend in bends])
    return 1.4826 * float(np.median(samples)) if samples.size else 0.0


def _broken_links(inverse_depth: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Links between neighbours along a row that cross a jump: (n, w) to (n, w - 1) bool.

    For spans of 1 to WIDEST_RAMP pixels: the change over the span is compared with the change that the stretch of the
    same length on either side foretells. Of a marked span, only the links that carry the jump are broken.
    """
    single = np.diff(inverse_depth, axis=1)
    broken = np.zeros(single.shape, bool)
    for span in range(1, WIDEST_RAMP + 1):
        if inverse_depth.shape[1] <= 2 * span and span > 1:
            break
        change = inverse_depth[:, span:] - inverse_depth[:, :-span]
        nearer = np.maximum(inverse_depth[:, span:], inverse_depth[:, :-span])
        residual, slope, steepest = _foretold(change, span)
        jumps = residual > threshold * nearer + SLOPE_SHARE * steepest
        jumps &= np.abs(change) > threshold * nearer  # not the level link between two slopes
        direction = np.sign(change - slope)
        for link in range(span):
            own = direction * (single[:, link : link + change.shape[1]] - slope / span)
            broken[:, link : link + change.shape[1]] |= jumps & (own > residual / (2 * span))
    return broken


def _foretold(
    change: NDArray[np.float64], span: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How far each change is from what its better neighbour foretells, that neighbour's change, the steeper of both.

    At the border the one neighbour that is there decides; with none, the change itself is the residual.
    """
    missing = np.full((change.shape[0], min(span, change.shape[1])), np.nan)
    before = np.concatenate([missing, change[:, :-span]], axis=1)
    after = np.concatenate([change[:, span:], missing], axis=1)
    before_residual = np.where(np.isnan(before), np.inf, np.abs(change - before))
    after_residual = np.where(np.isnan(after), np.inf, np.abs(change - after))
    residual = np.minimum(before_residual, after_residual)
    slope = np.where(before_residual <= after_residual, before, after)
    alone = np.isinf(residual)
    residual, slope = np.where(alone, np.abs(change), residual), np.where(alone, 0.0, slope)
    steepest = np.maximum(np.abs(np.nan_to_num(before)), np.abs(np.nan_to_num(after)))
    return residual, slope, steepest
