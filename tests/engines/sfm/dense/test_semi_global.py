"""Semi-global aggregation against the paper's recurrence in plain loops."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.semi_global import (
    COST_SCALE,
    EDGE_SOFTENING,
    aggregate,
    best,
    integer_cost,
    minimum,
)
from vggt_addon.errors import Cancelled

Array = NDArray[Any]
SMALL, LARGE = 0.02, 0.15


def aggregate_slowly(cost: Array, grey: Array, directions: list[tuple[int, int]]) -> Array:
    """Hirschmueller's eq. 13, one pixel, hypothesis and direction at a time."""
    height, hypotheses, width = cost.shape
    small = round(SMALL * COST_SCALE)
    total = np.zeros(cost.shape, dtype=np.int64)
    for down, right in directions:
        path = np.zeros(cost.shape, dtype=np.int64)
        for y in range(height)[:: down or 1]:
            for x in range(width)[:: right or 1]:
                before_y, before_x = y - down, x - right
                inside = 0 <= before_y < height and 0 <= before_x < width
                for d in range(hypotheses):
                    path[y, d, x] = cost[y, d, x]
                    if inside:
                        contrast = abs(grey[y, x] - grey[before_y, before_x])
                        large = int(max(LARGE * COST_SCALE / (1 + EDGE_SOFTENING * contrast), 1.2 * small))
                        before = path[before_y, :, before_x]
                        reach = [before[d], before.min() + large]
                        reach += [before[other] + small for other in (d - 1, d + 1) if 0 <= other < hypotheses]
                        path[y, d, x] += min(reach) - before.min()
        total += path
    return total


ACROSS = [(1, 0), (-1, 0), (0, 1), (0, -1)]
DIAGONAL = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


@pytest.mark.parametrize("diagonal", [False, True])
def test_equals_the_recurrence(diagonal: bool) -> None:
    random = np.random.default_rng(0)
    cost = random.integers(0, COST_SCALE, (7, 5, 9)).astype(np.uint16)
    grey = random.random((7, 9)).astype(np.float32)
    expected = aggregate_slowly(cost, grey, ACROSS + DIAGONAL if diagonal else ACROSS)
    np.testing.assert_array_equal(aggregate(cost, grey, SMALL, LARGE, diagonal), expected)


def test_paths_carry_a_certain_pixel_into_an_undecided_row() -> None:
    cost = np.full((5, 6, 5), 1000, dtype=np.uint16)
    cost[2, 4, 2] = 0
    total = aggregate(cost, np.zeros((5, 5), dtype=np.float32), SMALL, LARGE)
    index, _ = minimum(total)
    assert (index[2] == 4).all() and (index[:, 2] == 4).all()


def test_largest_sums_stay_within_16_bits() -> None:
    cost = np.full((40, 3, 40), COST_SCALE, dtype=np.uint16)
    cost[:, 1] = np.random.default_rng(1).integers(0, COST_SCALE + 1, (40, 40))
    grey = np.zeros((40, 40), dtype=np.float32)
    total = aggregate(cost, grey, 1.0, 1.0)
    assert total.max() <= 8 * 2 * COST_SCALE < 2**16
    assert (total >= 8 * cost.astype(int)).all()  # nothing wrapped around: a path never costs less than its pixels


def test_the_chosen_hypothesis_keeps_its_own_score() -> None:
    score = np.random.default_rng(2).uniform(-1, 1, (4, 5, 6)).astype(np.float32)
    cost = integer_cost(score)
    position, found = best(cost, cost)
    np.testing.assert_allclose(found, score.max(axis=1), atol=2.1 / COST_SCALE)
    np.testing.assert_array_less(np.abs(position - score.argmax(axis=1)), 0.51)


def test_parabola_finds_the_place_between_hypotheses() -> None:
    true = np.array([[2.3, 4.0, 1.75]], dtype=np.float32)
    hypotheses = np.arange(7)[None, :, None]
    total = (1000 + 400 * (hypotheses - true[:, None]) ** 2).astype(np.uint16)
    index, position = minimum(total)
    np.testing.assert_array_equal(index, [[2, 4, 2]])
    np.testing.assert_allclose(position, true, atol=0.01)


def test_minimum_at_an_end_is_not_moved() -> None:
    total = np.array([[[1], [5], [9]]], dtype=np.uint16)
    assert minimum(total)[1][0, 0] == 0
    assert minimum(total[:, ::-1])[1][0, 0] == 2


def test_cancel() -> None:
    with pytest.raises(Cancelled):
        aggregate(
            np.zeros((40, 3, 8), dtype=np.uint16), np.zeros((40, 8), np.float32), SMALL, LARGE, cancel=lambda: True
        )
