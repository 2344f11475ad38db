"""What the engine says before a run: memory, time, and whether it fits; without loading a network."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from vggt_addon.engines.cost import finishing_seconds, pictures_seconds
from vggt_addon.engines.keep_last import LOADED_PER_SECOND
from vggt_addon.engines.layers import work
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.engines.vggt import engine
from vggt_addon.engines.vggt.config import FULL
from vggt_addon.engines.vggt.engine import VggtEngine
from vggt_addon.engines.vggt.load import HEADS, Loaded, weights_memory
from vggt_addon.engines.vggt.plan import Request, fitting_plans
from vggt_addon.engines.vggt.warm import WarmLoader
from vggt_addon.errors import Cancelled, EngineError
from vggt_addon.photos.photo import Photo
from vggt_addon.progress import never
from vggt_addon.settings import EngineSettings, NetworkSettings

SPEED = Speed(2e12, 1e12, 0.5e12)
GPU = Device(torch.device("cuda"), "NVIDIA GeForce", 8_000_000_000, torch.bfloat16)
PROCESSOR = Device(torch.device("cpu"), "the processor", 64_000_000_000, torch.float32)
WEIGHTS = weights_memory(torch.bfloat16)


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_device", lambda name, limit: PROCESSOR if name == "cpu" else GPU)
    monkeypatch.setattr(engine, "known_speed", lambda *_: SPEED)
    monkeypatch.setattr("vggt_addon.engines.cost.pace", lambda: 1.0)


def photos(count: int, width: int = 1600, height: int = 1200) -> list[Photo]:
    one = Photo(Path("/a.jpg"), "a.jpg", "0" * 64, width, height, 1, None, "", shown_as_is=True)
    return [dataclasses.replace(one, name=f"{number}.jpg") for number in range(count)]


def settings(**network: Any) -> EngineSettings:
    return EngineSettings(network=NetworkSettings(weights_folder="/nowhere", **network))


def no_network(*_: Any) -> Loaded:
    raise AssertionError("a network was loaded")


def test_memory_is_that_of_the_plan_with_its_weights_of_what_is_free() -> None:
    best = fitting_plans(Request(FULL, HEADS, 24, (392, 518), torch.bfloat16, WEIGHTS), GPU, SPEED)[0]
    plan = VggtEngine(no_network).plan(photos(24), settings(), never)
    assert plan.fits and plan.memory == best.memory + WEIGHTS and plan.memory_free == 8_000_000_000
    assert best.seconds is not None and plan.seconds is not None
    loading = WEIGHTS / LOADED_PER_SECOND
    beside = pictures_seconds(photos(24)) + finishing_seconds(24 * 518 * 392)
    assert plan.seconds == pytest.approx(best.seconds + loading + beside) and beside > 5
    assert plan.sentence.startswith(f"24 photos: about {plan.memory / 1e9:.1f} GB of 8.0 GB, ")


def test_what_the_artist_allows_counts_as_free() -> None:
    plan = VggtEngine(no_network).plan(photos(4), settings(memory_limit=5.0), never)
    assert plan.fits and plan.memory_free == 5_000_000_000 and " of 5.0 GB" in plan.sentence


def test_what_does_not_fit_is_told_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "known_speed", None)  # it is not asked for
    plan = VggtEngine(no_network).plan(photos(4), settings(memory_limit=2.0), never)
    assert not plan.fits and plan.seconds is None and plan.memory_free == 2_000_000_000
    assert plan.memory is not None and plan.memory > 2_000_000_000
    assert "4 photos need" in plan.sentence and "of which 2.0 GB can be used" in plan.sentence


def test_the_point_head_takes_memory_and_time() -> None:
    without = VggtEngine(no_network).plan(photos(8), settings(), never)
    with_head = VggtEngine(no_network).plan(photos(8), settings(points_from="head"), never)
    assert with_head.memory is not None and without.memory is not None
    assert with_head.seconds is not None and without.seconds is not None
    extra = weights_memory(torch.bfloat16, heads=(*HEADS, "point")) - WEIGHTS
    assert extra > 100_000_000 and with_head.memory - without.memory > extra + 8 * 518 * 392 * 4 * 4
    assert with_head.seconds > without.seconds + extra / LOADED_PER_SECOND


def test_a_network_that_is_warm_needs_no_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = VggtEngine()
    cold = kept.plan(photos(8), settings(), never)
    monkeypatch.setattr(WarmLoader, "holds", lambda self, network, device, dtype: dtype == torch.bfloat16)
    warm = kept.plan(photos(8), settings(), never)
    assert cold.seconds is not None and warm.seconds is not None
    assert cold.seconds - warm.seconds == pytest.approx(WEIGHTS / LOADED_PER_SECOND)
    assert warm.memory == cold.memory, "it lies there already, and its memory counts as free"


def test_settings_that_cannot_run_are_told() -> None:
    with pytest.raises(EngineError, match="no framing called fit"):
        VggtEngine(no_network).plan(photos(2), settings(framing="fit"), never)
    with pytest.raises(EngineError, match="Points come from depth or head, not from sky"):
        VggtEngine(no_network).plan(photos(2), settings(points_from="sky"), never)


def test_cancel() -> None:
    with pytest.raises(Cancelled):
        VggtEngine(no_network).plan(photos(2), settings(), lambda: True)


def test_the_speed_is_measured_once_for_each_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def measure(device: torch.device, dtype: torch.dtype, tokens: int, width: int, heads: int) -> Speed:
        assert (tokens, width, heads) == (1041, 1024, 16)
        measured.append(torch.get_num_threads())
        return SPEED

    monkeypatch.setattr(work, "_known", {})
    monkeypatch.setattr(work, "measure_speed", measure)
    monkeypatch.setattr(engine, "known_speed", work.known_speed)
    before = torch.get_num_threads()
    for threads in (1, 1, 2, 1, 2):
        VggtEngine(no_network).plan(photos(3), dataclasses.replace(settings(device="cpu"), threads=threads), never)
    assert measured == [1, 2]
    assert torch.get_num_threads() == before, "the next run has its own number"


def test_a_speed_measured_while_others_were_at_work_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([Speed(3.0, 20.0, 10.0), Speed(30.0, 2.0, 10.0), Speed(1.0, 1.0, 1.0)])
    now = [1000.0]
    monkeypatch.setattr(work, "_known", {})
    monkeypatch.setattr(work, "measure_speed", lambda *_: next(found))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told = []
    for later in (0.0, work.KNOWN_SECONDS - 1, 2.0, work.KNOWN_SECONDS + 1):
        now[0] += later
        told.append(work.known_speed(torch.device("cpu"), torch.float32, 1041, 1024, 16))
    assert told == [Speed(3.0, 20.0, 10.0)] * 2 + [Speed(30.0, 20.0, 10.0)] * 2
    assert next(found, None) is None, "asked for each time that it was old"
