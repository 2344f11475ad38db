"""What all plans share: the sentence, how quick this machine is, and what pictures cost."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from vggt_addon.engines import cost
from vggt_addon.photos.photo import Photo

PHOTO = Photo(Path("/a.jpg"), "a.jpg", "0" * 64, 4000, 3000, 1, None, "", shown_as_is=True)


@pytest.mark.parametrize(
    ("photos", "free", "seconds", "sentence"),
    [
        (24, 8e9, 40.0, "24 photos: about 5.0 GB of 8.0 GB, 40 s."),
        (1, None, None, "1 photo: about 5.0 GB."),
        (0, None, None, "0 photos: about 5.0 GB."),
        (3, 8.06e9, 0.2, "3 photos: about 5.0 GB of 8.1 GB, 1 s."),
        (3, None, 7.4, "3 photos: about 5.0 GB, 7 s."),
        (3, None, 88.0, "3 photos: about 5.0 GB, 90 s."),
        (3, None, 600.0, "3 photos: about 5.0 GB, 10 min."),
        (300, None, 9000.0, "300 photos: about 5.0 GB, 2.5 h."),
    ],
)
def test_a_plan_is_told_in_a_sentence(photos: int, free: float | None, seconds: float | None, sentence: str) -> None:
    assert cost.plan_sentence(photos, 5e9, free, seconds) == sentence


def test_the_machine_is_measured_once_and_quickly() -> None:
    cost.pace.cache_clear()
    start = time.monotonic()
    first = cost.pace()
    assert time.monotonic() - start < 5
    assert 0.05 < first < 50
    assert cost.pace() is cost.pace(), "not measured anew"


def test_a_machine_half_as_quick_takes_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [lambda: time.sleep(0.02), lambda: time.sleep(0.02)]
    monkeypatch.setattr(cost, "_work", lambda: pieces)
    monkeypatch.setattr(cost, "_REFERENCE", (0.01, 0.01))
    cost.pace.cache_clear()
    try:
        assert cost.pace() == pytest.approx(2, rel=0.3)
        slow = cost.pictures_seconds([PHOTO], 1), cost.finishing_seconds(10**6)
    finally:
        cost.pace.cache_clear()
    monkeypatch.setattr(cost, "pace", lambda: 1.0)
    quick = cost.pictures_seconds([PHOTO], 1), cost.finishing_seconds(10**6)
    assert slow[0] / quick[0] == pytest.approx(2, rel=0.3) and slow[1] / quick[1] == pytest.approx(2, rel=0.3)


def test_pictures_that_must_be_copied_cost_more_and_threads_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "pace", lambda: 1.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    alone = cost.pictures_seconds([PHOTO], 1)
    assert cost.pictures_seconds([PHOTO] * 4, 1) == pytest.approx(4 * alone)
    assert cost.pictures_seconds([dataclasses.replace(PHOTO, shown_as_is=False)], 1) > 2 * alone
    assert cost.pictures_seconds([PHOTO], 4) == pytest.approx(alone / 4)
    assert cost.pictures_seconds([PHOTO], 0) == pytest.approx(alone / 8), "memory allows no more side by side"


def test_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert [cost.cores(asked) for asked in (0, 1, 6, 100)] == [6, 1, 6, 6]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cost.cores() == 1
