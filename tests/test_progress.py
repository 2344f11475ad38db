"""Progress of parts adds up, and a stop is an exception."""

import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.progress import check, never, no_progress, span


def test_a_part_fills_its_share() -> None:
    told: list[tuple[str, float]] = []
    part = span(span(lambda stage, fraction: told.append((stage, fraction)), 0.0, 0.5), 0.5, 1.0)
    for fraction in (-1.0, 0.0, 0.5, 1.0, 7.0):
        part("here", fraction)
    assert told == [("here", 0.25), ("here", 0.25), ("here", 0.375), ("here", 0.5), ("here", 0.5)]


def test_check() -> None:
    check(never)
    no_progress("anything", 0.5)
    with pytest.raises(Cancelled):
        check(lambda: True)
