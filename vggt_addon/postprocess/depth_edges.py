"""Where a depth map jumps from one surface to another, so that a relief must not be drawn across.

A plane is linear in inverse depth: with x = (u, v, 1) a pixel and n . X = d the plane, 1 / z = n . K^-1 x / d. So a
surface, however grazing, continues its own slope in inverse depth, and a silhouette is where neither side's slope
foretells the other side. This needs no intrinsics and no unit. Where everything jumps, as in foliage, small jumps are
the surface's own grain, and only large ones are cut: else nothing would be left of it.
This module imports nothing beyond the standard library and numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

STEP = 0.02  # of the nearer surface's inverse depth: a jump of 2 % in depth
NOISE_FACTOR = 5.0  # standard deviations of the map's own noise that a jump must exceed
LARGEST_STEP = 0.1  # however noisy the map: a jump of 10 % in depth always counts
GRAIN_WINDOW = 4  # cells to each side that are looked at for grain
GRAIN = 0.5  # share of jumps among them from which on it is grain: twice what a straight silhouette reaches
WIDEST_RAMP = 3  # grid pixels over which an engine may have blurred a jump
SLOPE_SHARE = 0.75  # a crease leaves a residual of half its steeper side's slope, a jump far more


def depth_edges(depth: NDArray[np.float32], step: float = STEP) -> NDArray[np.bool_]:
    """The cells between 4 neighbouring grid pixels that span a silhouette: (h - 1, w - 1) bool.

    `depth` (h, w), along the optical axis, > 0 everywhere, any unit. `step` is the smallest jump that counts, as a
    share of the nearer inverse depth; it rises with the noise that the map itself shows, and to LARGEST_STEP in grain.
    A jump blurred over up to WIDEST_RAMP pixels is found as well. Raises ValueError where depth is not positive.
    """
    if depth.ndim != 2 or not depth.size or not (depth > 0).all():
        raise ValueError("depth edges need a whole depth map: 2 dimensions, > 0 everywhere")
    inverse_depth = _in_middle_units(depth)
    largest = max(step, LARGEST_STEP)
    threshold = min(max(step, NOISE_FACTOR * _relative_noise(inverse_depth)), largest)
    across_columns = _jumps(inverse_depth, threshold)
    across_rows = _jumps(inverse_depth.T, threshold).T
    jumps = np.maximum(
        np.maximum(across_columns[:-1], across_columns[1:]), np.maximum(across_rows[:, :-1], across_rows[:, 1:])
    )
    return np.where(_share_around(jumps > 0) > GRAIN, jumps > largest, jumps > 0)


def _in_middle_units(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse depth in units of the median depth's: single precision is enough then, and twice as fast."""
    middle = float(np.median(depth))
    return np.asarray((middle / depth.astype(np.float64)).clip(1e-30, 1e30), dtype=np.float32)


def _share_around(marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of marked cells in the window around each: (h, w) bool to (h, w), by summed areas."""
    if not marked.size:
        return np.zeros(marked.shape)
    window = GRAIN_WINDOW
    sums = np.pad(marked.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    (first_row, last_row), (first_column, last_column) = (
        (np.maximum(np.arange(side) - window, 0), np.minimum(np.arange(side) + window + 1, side))
        for side in marked.shape
    )
    rows = sums[last_row] - sums[first_row]
    area = (last_row - first_row)[:, None] * (last_column - first_column)
    return np.asarray((rows[:, last_column] - rows[:, first_column]) / area)


def fringe(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The grid pixels along silhouettes, where depth or colour may belong to the other side: (h, w) bool.

    `edges` (h - 1, w - 1) as `depth_edges` makes them. These are the corners of marked cells, but not in grain: a
    plant is all silhouette, and nothing of it would be left.
    """
    lines = edges & (_share_around(edges) <= GRAIN)
    pixels = np.zeros((edges.shape[0] + 1, edges.shape[1] + 1), bool)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            pixels[rows, columns] |= lines
    return pixels


def _relative_noise(inverse_depth: Float) -> float:
    """Standard deviation of second differences relative to the value: robust (median), 0 for planes."""
    bends = [
        np.abs(array[:, 2:] - 2.0 * array[:, 1:-1] + array[:, :-2]) / array[:, 1:-1]
        for array in (inverse_depth, inverse_depth.T)
    ]
    samples = np.concatenate([bend.ravel() for bend in bends])
    return 1.4826 * float(np.median(samples)) if samples.size else 0.0


def _jumps(inverse_depth: Float, threshold: float) -> Float:
    """How large a jump each link between neighbours along a row carries: (n, w) to (n, w - 1), 0 for none.

    For spans of 1 to WIDEST_RAMP pixels: the change over the span is compared with the change that the stretch of the
    same length on either side foretells. Of a span with a jump, only the links that carry it are marked. In units of
    the nearer inverse depth.
    """
    single = np.diff(inverse_depth, axis=1)
    jumps = np.zeros_like(single)
    for span in range(1, WIDEST_RAMP + 1):
        if inverse_depth.shape[1] <= 2 * span and span > 1:
            break
        change = inverse_depth[:, span:] - inverse_depth[:, :-span]
        nearer = np.maximum(inverse_depth[:, span:], inverse_depth[:, :-span])
        residual, slope, steepest = _foretold(change, span)
        is_jump = residual > threshold * nearer + SLOPE_SHARE * steepest
        is_jump &= np.abs(change) > threshold * nearer  # not the level link between two slopes
        size = np.where(is_jump, residual / nearer, np.float32(0))
        direction = np.sign(change - slope)
        for link in range(span):
            part = slice(link, link + change.shape[1])
            own = direction * (single[:, part] - slope / span)
            jumps[:, part] = np.maximum(jumps[:, part], np.where(own > residual / (2 * span), size, np.float32(0)))
    return jumps


def _foretold(change: Float, span: int) -> tuple[Float, Float, Float]:
    """How far each change is from what its better neighbour foretells, that neighbour's change, the steeper of both.

    At the border the one neighbour that is there decides; with none, the change itself is the residual.
    """
    missing = np.full((change.shape[0], min(span, change.shape[1])), np.nan, np.float32)
    before = np.concatenate([missing, change[:, :-span]], axis=1)
    after = np.concatenate([change[:, span:], missing], axis=1)
    before_residual = np.where(np.isnan(before), np.float32(np.inf), np.abs(change - before))
    after_residual = np.where(np.isnan(after), np.float32(np.inf), np.abs(change - after))
    residual = np.minimum(before_residual, after_residual)
    slope = np.where(before_residual <= after_residual, before, after)
    alone = np.isinf(residual)
    residual, slope = np.where(alone, np.abs(change), residual), np.where(alone, np.float32(0), slope)
    steepest = np.maximum(np.abs(np.nan_to_num(before)), np.abs(np.nan_to_num(after)))
    return residual, slope, steepest
