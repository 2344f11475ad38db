"""Semi-global aggregation: every pixel's cost is joined by that of paths that reach it from eight sides.

Source: H. Hirschmueller, "Stereo Processing by Semiglobal Matching and Mutual Information", PAMI 2008, eq. 13:
    L(p, d) = C(p, d) + min(L(q, d), L(q, d +- 1) + P1, min_k L(q, k) + P2(p, q)) - min_k L(q, k)
for the pixel q before p on the path, summed over the paths. P2 falls with the picture's contrast between p and q.
Costs are 16-bit integers: with them numpy works on twice as many numbers at once, and sums are exact, so the result
cannot depend on the order. Imports numpy only; OpenCV is its neighbours' affair.
"""

import numpy as np
from numpy.typing import NDArray

from ....progress import Cancel, check, never
from .filters import Map

COST_SCALE = 2000  # integer cost of a cost of 1; eight paths of at most (1 + P2) * COST_SCALE stay below 2^16
EDGE_SOFTENING = 25.0  # contrast (grey, [0, 1]) of 1 / 25 halves the cost of a jump in depth

Volume = NDArray[np.uint16]  # (h, d, w): the hypotheses between rows and columns, so that numpy's inner loop is long


def integer_cost(score: Map) -> NDArray[np.uint16]:
    """ZNCC in [-1, 1] to a cost in [0, COST_SCALE]."""
    return np.clip((1 - score) * np.float32(COST_SCALE / 2), 0, COST_SCALE).astype(np.uint16)


def aggregate(
    cost: Volume, grey: Map, small_change: float, large_change: float, diagonal: bool = True, cancel: Cancel = never
) -> Volume:
    """Sum of the path costs (h, d, w) over eight directions, or four without the diagonal ones.

    cost (h, d, w) as `integer_cost` makes it, grey (h, w) in [0, 1]; `small_change` (P1) and `large_change` (P2) are
    in units of cost 1, P2 at most 1. Raises Cancelled.
    """
    shifts = (0, -1, 1) if diagonal else (0,)
    penalties = round(small_change * COST_SCALE), large_change * COST_SCALE
    total = np.zeros_like(cost)
    for step in (slice(None), slice(None, None, -1)):
        _add_paths(cost[step], grey[step], total[step], shifts, penalties, cancel)
    across = np.ascontiguousarray(cost.transpose(2, 1, 0))
    total_across = np.zeros_like(across)
    for step in (slice(None), slice(None, None, -1)):
        _add_paths(across[step], grey.T[step], total_across[step], (0,), penalties, cancel)
    total += total_across.transpose(2, 1, 0)
    return total


def _add_paths(
    cost: Volume, grey: Map, total: Volume, shifts: tuple[int, ...], penalties: tuple[int, float], cancel: Cancel
) -> None:
    """Add to `total` the paths that run down the rows and move by each of `shifts` columns per row."""
    small = np.uint16(penalties[0])
    path = np.repeat(cost[:1], len(shifts), axis=0)  # (s, d, w): all paths start with the first row's own cost
    total[0] += path.sum(axis=0, dtype=np.uint16)
    following = np.empty_like(path)
    raised = np.empty_like(path[:, 1:])
    for row in range(1, len(cost)):
        if row % 32 == 0:
            check(cancel)
        large = np.stack([_jump_penalty(grey[row - 1], grey[row], shift, penalties) for shift in shifts])
        for index, shift in enumerate(shifts):
            _shift_columns(path[index], shift)
        least = path.min(axis=1, keepdims=True)
        np.minimum(path, least + large[:, None], out=following)
        np.add(path[:, :-1], small, out=raised)
        np.minimum(following[:, 1:], raised, out=following[:, 1:])
        np.add(path[:, 1:], small, out=raised)
        np.minimum(following[:, :-1], raised, out=following[:, :-1])
        following -= least
        following += cost[row]
        for added in following:
            total[row] += added
        path, following = following, path


def _jump_penalty(before: Map, row: Map, shift: int, penalties: tuple[int, float]) -> NDArray[np.uint16]:
    """P2 (w,) of the pixels of a row for paths that come from `shift` columns away in the row before."""
    small, large = penalties
    contrast = np.abs(row - np.roll(before, shift))
    return np.asarray(np.maximum(large / (1 + EDGE_SOFTENING * contrast), 1.2 * small)).astype(np.uint16)


def _shift_columns(path: NDArray[np.uint16], shift: int) -> None:
    """Move the paths (d, w) by `shift` columns in place; those that enter from outside start anew, at 0."""
    if shift > 0:
        path[:, shift:] = path[:, :-shift].copy()
        path[:, :shift] = 0
    elif shift < 0:
        path[:, :shift] = path[:, -shift:].copy()
        path[:, shift:] = 0


def best(cost: Volume, total: Volume) -> tuple[Map, Map]:
    """Of the hypothesis with the least aggregated cost: its place among the hypotheses, and its own score (h, w)."""
    index, position = minimum(total)
    chosen = np.take_along_axis(cost, index[:, None], axis=1)[:, 0]
    return position, (1 - chosen * np.float32(2 / COST_SCALE)).astype(np.float32)


def minimum(total: Volume) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Hypothesis of least cost: its index (h, w), and its place between the hypotheses by a parabola (h, w)."""
    index = total.argmin(axis=1)
    last = total.shape[1] - 1
    inner = np.clip(index, 1, last - 1)[:, None]
    before, here, after = (
        np.take_along_axis(total, inner + offset, axis=1)[:, 0].astype(np.float32) for offset in (-1, 0, 1)
    )
    curvature = before - 2 * here + after
    shift = np.where(curvature > 0, 0.5 * (before - after) / np.maximum(curvature, 1), 0)
    shift = np.where((index > 0) & (index < last), np.clip(shift, -0.5, 0.5), 0)
    return index, (index + shift).astype(np.float32)
