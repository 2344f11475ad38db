"""Frames of a walk, whatever lenses they were taken with."""

import itertools

from vggt_addon.engines.sfm.pairing import pairs_in_time


def test_neighbours_in_time_are_compared_across_lenses() -> None:
    names = [f"lens_{number // 3 % 2:03d}/{number:05d}.png" for number in range(40)]
    pairs = pairs_in_time(sorted(names))  # as they come: one lens after the other
    assert len(set(pairs)) == len(pairs)
    steps = {names.index(second) - names.index(first) for first, second in pairs}
    assert steps == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 32}
    assert set(itertools.pairwise(names)) <= set(pairs)


def test_a_long_walk_costs_no_more_for_each_frame() -> None:
    count = 2000
    assert len(pairs_in_time([f"lens_000/{number:05d}.png" for number in range(count)])) < 16 * count


def test_one_frame_has_no_pair() -> None:
    assert pairs_in_time(["lens_000/00000.png"]) == []
