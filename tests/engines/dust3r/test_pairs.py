"""Which pairs there are, in which order, and that they hang together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vggt_addon.engines.dust3r import pairs
from vggt_addon.engines.dust3r.pairs import Edge


def test_complete_gives_every_pair_once_the_larger_number_first() -> None:
    assert pairs.complete(4) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    assert pairs.complete(1) == []


def test_a_window_runs_on_to_the_first_photos_where_it_is_cyclic() -> None:
    assert pairs.sliding_window(4, 1) == [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert pairs.sliding_window(4, 1, cyclic=False) == [(0, 1), (1, 2), (2, 3)]
    assert pairs.sliding_window(5, 2, cyclic=False) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]
    assert len(pairs.sliding_window(3, 5)) == 3, "a window wider than the set gives no pair twice"


def test_a_logarithmic_window_looks_both_ways_in_powers_of_two() -> None:
    assert pairs.logarithmic_window(6, 2, cyclic=False) == [
        (0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5)
    ]  # fmt: skip
    around = {frozenset(pair) for pair in pairs.logarithmic_window(16, 3)}
    assert around == {frozenset((i, (i + step) % 16)) for i in range(16) for step in (1, 2, 4)}


def test_one_against_all_and_both_directions() -> None:
    assert pairs.mirrored(pairs.one_against_all(3, 1)) == [(1, 0), (1, 2), (0, 1), (2, 1)]
    with pytest.raises(ValueError, match="photo 3 of 3"):
        pairs.one_against_all(3, 3)


def test_similar_photos_are_paired_and_strangers_still_joined() -> None:
    alike = np.eye(6)
    for group in ((0, 1, 2), (3, 4, 5)):
        for i in group:
            for j in group:
                alike[i, j] = 0.9
    alike[2, 3] = alike[3, 2] = 0.1
    found = pairs.by_similarity(alike, neighbours=2)
    assert {frozenset(pair) for pair in found} == {
        frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3))
    }


def test_the_tree_takes_the_better_direction_best_first() -> None:
    scores = {(0, 1): 3.0, (1, 0): 5.0, (1, 2): 4.0, (2, 0): 4.5, (3, 4): 9.0}
    assert pairs.spanning_tree(5, scores) == [(3, 4), (1, 0), (2, 0)]
    assert pairs.components(6, scores) == [[0, 1, 2], [3, 4], [5]]


@given(st.integers(2, 60), st.booleans())
def test_every_choice_joins_all_photos_both_ways_and_the_plan_counts_enough(count: int, sequence: bool) -> None:
    alike = np.random.default_rng(count).random((count, count))
    found = pairs.choose_pairs(count, sequence=sequence, similarity=lambda: alike + alike.T)
    _, most = pairs.scheme_for(count, sequence=sequence)
    assert len(pairs.components(count, found)) == 1
    assert len(found) == len(set(found)) <= most
    assert {(j, i) for i, j in found} == set(found)
    assert all(i != j for i, j in found)


def test_few_photos_are_all_compared_and_similarity_is_not_asked() -> None:
    def never() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        raise AssertionError("asked")

    few: list[Edge] = pairs.choose_pairs(pairs.COMPLETE_UP_TO, sequence=True, similarity=never)
    assert len(few) == pairs.COMPLETE_UP_TO * (pairs.COMPLETE_UP_TO - 1)
    pairs.choose_pairs(200, sequence=True, similarity=never)
