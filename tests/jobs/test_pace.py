"""The time left, for jobs whose true length is known."""

import itertools

import pytest

from vggt_addon.jobs.pace import FIRST_SECONDS, Pace


def test_nothing_is_told_in_the_first_seconds() -> None:
    pace = Pace(100.0)
    assert pace.seconds_left(100.0, 0.5) is None
    assert pace.seconds_left(100.0 + FIRST_SECONDS - 0.1, 0.5) is None
    assert pace.seconds_left(100.0 + FIRST_SECONDS, 0.5) is not None


def test_nothing_is_told_where_nothing_is_done() -> None:
    assert Pace(0.0).seconds_left(60.0, 0.001) is None


def test_steady_work_is_told_exactly() -> None:
    pace = Pace(0.0)
    for tick in range(1, 400):
        left = pace.seconds_left(tick * 0.1, tick * 0.1 / 40.0)
        if left is not None:
            assert left == pytest.approx(40.0 - tick * 0.1, abs=1e-6)


def test_a_slow_stage_is_noticed_and_no_jump_is_shown() -> None:
    """Half of the bar in 10 s, the other half in 90."""
    pace, told = Pace(0.0), []
    for tick in range(1, 1000):
        now = tick * 0.1
        fraction = now / 20 if now < 10 else 0.5 + (now - 10) / 180
        left = pace.seconds_left(now, fraction)
        if left is not None:
            told.append(left)
    steps = [abs(second - first) for first, second in itertools.pairwise(told)]
    assert max(steps) < 1.0
    assert told[0] < 20 and max(told) > 25  # 10 s are expected first
    assert told[-1] < 10 and min(told) >= 0


def test_nothing_is_left_at_the_end() -> None:
    pace = Pace(0.0)
    assert pace.seconds_left(10.0, 0.9) is not None
    for tick in range(100):
        left = pace.seconds_left(11.0 + tick, 1.0)
    assert left == pytest.approx(0.0, abs=0.01)
