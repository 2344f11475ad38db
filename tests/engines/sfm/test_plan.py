"""What a run of the embedded engine is predicted to take, beside what runs took, and how that grows."""

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.engines.sfm import plan as module
from vggt_addon.engines.sfm.engine import SfmEngine
from vggt_addon.engines.sfm.plan import Cost, cost, make_plan
from vggt_addon.errors import Cancelled, EngineError
from vggt_addon.photos.photo import Photo
from vggt_addon.progress import never
from vggt_addon.settings import EngineSettings

MEGABYTE = 1e6
DEFAULT = EngineSettings()


def photos(count: int, width: int, height: int) -> list[Photo]:
    one = Photo(Path("/a.jpg"), "a.jpg", "0" * 64, width, height, 1, None, "", shown_as_is=True)
    return [dataclasses.replace(one, name=f"{number}.jpg") for number in range(count)]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The one that the rates are from, with as many cores as asked for: two."""
    monkeypatch.setattr(module, "pace", lambda: 1.0)
    monkeypatch.setattr("vggt_addon.engines.cost.pace", lambda: 1.0)

    def cores(count: int) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: count)

    cores(2)
    return cores


@pytest.mark.parametrize(
    ("count", "width", "height", "settings", "attempts", "seconds", "megabytes"),
    [
        (10, 1200, 800, {}, 1, 27.8, 581),  # examples/courtyard
        (10, 1200, 800, {"threads": 1}, 1, 41.4, 378),
        (10, 1200, 800, {"depth_size": 256}, 1, 16.8, 581),
        (10, 1200, 800, {"depth_size": 1024}, 1, 81.3, 821),
        (16, 1600, 1064, {}, 2, 121.4, 1053),  # banana
        (11, 1600, 1067, {}, 1, 32.4, None),  # fountain_p11
        (4, 1600, 900, {}, 2, 23.5, 880),  # dog_4
        (3, 1600, 1200, {}, 1, 10.3, None),  # berlin_3
        (29, 1024, 768, {"sequence": True}, 1, 113.2, 632),  # lund_walk, each frame
    ],
)
def test_it_is_what_runs_took(
    count: int,
    width: int,
    height: int,
    settings: dict[str, object],
    attempts: int,
    seconds: float,
    megabytes: float | None,
) -> None:
    """Runs of November 2026, by the clock of a quiet machine; memory of both processes where the heaviest came up."""
    predicted = cost(photos(count, width, height), EngineSettings(**settings))  # type: ignore[arg-type]
    whole = predicted.seconds + (predicted.seconds_more if attempts == 2 else 0)
    assert 1 / 1.5 < whole / seconds < 1.5
    if megabytes is not None:
        assert 1 / 1.5 < predicted.memory / (megabytes * MEGABYTE) < 1.5


def test_a_second_attempt_with_other_details_is_what_may_come_on_top() -> None:
    assert cost(photos(20, 1600, 1064), DEFAULT).seconds_more > cost(photos(10, 1600, 1064), DEFAULT).seconds_more > 0
    assert cost(photos(21, 1600, 1064), DEFAULT).seconds_more == 0, "larger sets have no patient attempt"


def test_a_walk_compares_neighbours_only_so_time_grows_with_its_length(machine: Callable[[int], None]) -> None:
    machine(64)
    walk = EngineSettings(sequence=True)
    ratios = [
        cost(photos(800, 1600, 1064), settings).seconds / cost(photos(400, 1600, 1064), settings).seconds
        for settings in (DEFAULT, walk)
    ]
    assert ratios[0] > 2.5 > 2.05 > ratios[1]


def test_more_cores_are_quicker_and_take_more_memory(machine: Callable[[int], None]) -> None:
    found: list[Cost] = []
    for count in (1, 2, 8):
        machine(count)
        found.append(cost(photos(40, 1600, 1064), DEFAULT))
    assert found[0].seconds > 1.5 * found[1].seconds > 1.5 * 2 * found[2].seconds
    assert found[0].memory <= found[1].memory < found[2].memory
    assert cost(photos(40, 1600, 1064), EngineSettings(threads=1)) == found[0]


def test_a_slower_machine_takes_longer_and_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = cost(photos(10, 1600, 1064), DEFAULT)
    monkeypatch.setattr(module, "pace", lambda: 2.0)
    monkeypatch.setattr("vggt_addon.engines.cost.pace", lambda: 2.0)
    slow = cost(photos(10, 1600, 1064), DEFAULT)
    assert slow.seconds == pytest.approx(2 * quick.seconds) and slow.memory == quick.memory


def test_large_photos_take_time_to_read_and_to_straighten_beside_what_their_copies_take() -> None:
    small, large = (cost(photos(10, side, side * 2 // 3), DEFAULT).seconds for side in (1800, 6000))
    pixels = 10 * (6000 * 4000 - 1800 * 1200)
    assert (large - small) / pixels == pytest.approx(0.043e-6, rel=0.05), "of two cores"


def test_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 8_000_000_000)
    plan = SfmEngine().plan(photos(10, 1200, 800), DEFAULT, never)
    assert plan.fits and plan.memory_free == 8_000_000_000
    assert plan.seconds == cost(photos(10, 1200, 800), DEFAULT).seconds
    assert re.fullmatch(r"10 photos: about 0\.\d GB of 8\.0 GB, \d0 s\. Up to \d+ s where .*\.", plan.sentence)
    assert "Up to" not in make_plan(photos(30, 1200, 800), DEFAULT).sentence


def test_what_does_not_fit_is_told_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 400_000_000)
    plan = make_plan(photos(10, 1200, 800), DEFAULT)
    assert not plan.fits and plan.seconds is None
    assert plan.memory is not None and plan.memory > 400_000_000
    assert re.match(r"10 photos need about 0\.7 GB of memory, of which 0\.4 GB are free: .*--depth-size", plan.sentence)


def test_where_the_system_does_not_tell_its_memory_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise EngineError("This system does not tell how much memory is free.")

    monkeypatch.setattr(module, "free_memory", fail)
    plan = make_plan(photos(30, 1200, 800), DEFAULT)
    assert plan.fits and plan.memory_free is None
    assert re.fullmatch(r"30 photos: about \d\.\d GB, .*", plan.sentence) and " of " not in plan.sentence


def test_cancel() -> None:
    with pytest.raises(Cancelled):
        SfmEngine().plan(photos(10, 1200, 800), DEFAULT, lambda: True)
