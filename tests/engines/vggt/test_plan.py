"""Plans: what they predict against what is measured, which of them fit, and what is said where none does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.engines.vggt import plan as plan_module
from vggt_addon.engines.vggt.config import FULL
from vggt_addon.engines.vggt.memory import peak_memory
from vggt_addon.engines.vggt.plan import BESIDE_LAYERS, Plan, Request, fitting_plans, plans
from vggt_addon.engines.vggt.work import whole
from vggt_addon.errors import EngineError

REPOSITORY = Path(__file__).parents[3]
HEADS = ("camera", "depth")
WEIGHTS = 5 * 10**9


def device(free: int, kind: str = "cpu") -> Device:
    return Device(torch.device(kind), {"cpu": "the processor", "cuda": "the GPU"}[kind], free, torch.float32)


def request(photos: int, size: tuple[int, int] = (392, 518), limit: int = 0, **changes: torch.dtype) -> Request:
    return Request(FULL, HEADS, photos, size, changes.get("dtype", torch.float32), WEIGHTS, limit)


def needed(plan: Plan) -> int:
    return plan.weights_memory + plan.memory


# --- what is predicted


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is measured by Linux's own mark")
@pytest.mark.parametrize(
    ("heads", "pieces", "counts"),
    [
        ([], "0", ["2", "4"]),  # the blocks alone, which are the peak where photos are many
        (["depth"], "0", ["2"]),  # the dense head too, which is where they are few
    ],
    ids=["blocks", "depth"],
)
def test_memory_is_as_predicted(heads: list[str], pieces: str, counts: list[str]) -> None:
    """In a process of its own, with the published widths and few blocks, which memory does not depend on, on pictures
    of 392 x 294. benchmarks/vggt_plan.py shows the whole network and the size that it was trained at."""
    command = ["benchmarks/vggt_plan.py", "--shallow", "--json", "--size", "392x294", "--pieces", pieces]
    command += ["--heads", *heads, "--photos", *counts]
    told = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    figures = [json.loads(line) for line in told.splitlines()]
    assert [each["photos"] for each in figures] == [int(count) for count in counts]
    for each in figures:
        assert each["memory"] == pytest.approx(each["peak"], rel=0.15), each


def test_memory_grows_by_so_much_for_each_further_photo() -> None:
    """The slope that was measured on a GPU and on the processor: 22 MB in half precision, 24 MB in float32."""
    for value, slope in ((2, 22e6), (4, 26e6)):
        chunks = Chunks(frames=1, tokens=2048, rows=32)
        hundred, two_hundred = (peak_memory(FULL, count, (392, 518), chunks, HEADS, value) for count in (100, 200))
        assert (two_hundred - hundred) / 100 == pytest.approx(slope, rel=0.15)


def test_half_precision_and_fewer_heads_take_less() -> None:
    chunks = Chunks()
    for count in (1, 3, 30):
        both, half = (peak_memory(FULL, count, (392, 518), chunks, HEADS, value) for value in (4, 2))
        assert half <= both
        assert peak_memory(FULL, count, (392, 518), chunks, ("camera",), 4) <= both
        assert both < peak_memory(FULL, count, (392, 518), chunks, ("camera", "depth", "point"), 4)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
@pytest.mark.parametrize("photos", [1, 2, 7, 200])
def test_each_plan_takes_less_than_the_one_before(kind: str, photos: int) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        every = list(plans(request(photos, dtype=dtype), device(0, kind)))
        assert len(every) > 2
        memory = [plan.memory for plan in every]
        assert memory == sorted(memory, reverse=True)
        if photos == 200:
            assert len(set(memory)) == len(memory)
        assert {(plan.photos, plan.dtype, plan.weights_memory) for plan in every} == {(photos, dtype, WEIGHTS)}


def test_time_is_the_works_at_the_measured_speed() -> None:
    speed = Speed(2e11, 1e11, 0.5e11)
    for plan in plans(request(4), device(0), speed):
        assert plan.seconds == pytest.approx(speed.seconds(whole(FULL, 4, (392, 518), HEADS)) * BESIDE_LAYERS)
    assert all(plan.seconds is None for plan in plans(request(4), device(0)))


# --- what fits


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_quickest_that_fits_comes_first_and_smaller_ones_stay_for_later(kind: str) -> None:
    every = list(plans(request(20), device(0, kind)))
    for index, plan in enumerate(every):
        room = needed(plan)
        assert fitting_plans(request(20), device(room, kind)) == every[index:]
        assert fitting_plans(request(20, limit=room), device(10**12, kind)) == every[index:]
        assert fitting_plans(request(20, limit=10**12), device(room, kind)) == every[index:]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_too_many_photos_are_told_how_many_would_fit(kind: str) -> None:
    allowed = needed(list(plans(request(9), device(0, kind)))[-1]) + 10**6
    with pytest.raises(EngineError) as caught:
        fitting_plans(request(50, limit=allowed), device(10**12, kind))
    sentence = caught.value.sentence
    found = re.fullmatch(
        r"50 photos need (\d+\.\d) GB on (the processor|the GPU), of which (\d+\.\d) GB can be used\. "
        r"9 photos would fit; half precision or a smaller --input-size takes less\.",
        sentence,
    )
    assert found, sentence
    assert float(found[1]) == pytest.approx(needed(list(plans(request(50), device(0, kind)))[-1]) / 1e9, abs=0.06)
    assert float(found[3]) == pytest.approx(allowed / 1e9, abs=0.06)
    fitting_plans(request(9, limit=allowed), device(10**12, kind))
    with pytest.raises(EngineError, match="9 photos would fit"):
        fitting_plans(request(10, limit=allowed), device(10**12, kind))
    hardly = needed(list(plans(request(10), device(0, kind)))[-1]) - 1
    with pytest.raises(EngineError, match="9 photos would fit"):
        fitting_plans(request(50, limit=hardly), device(10**12, kind))


def test_one_photo_that_would_fit_is_one_photo() -> None:
    allowed = needed(list(plans(request(1), device(0)))[-1])
    with pytest.raises(EngineError, match=r"\. 1 photo would fit"):
        fitting_plans(request(50, limit=allowed), device(10**12))


def test_no_room_for_the_weights_is_told() -> None:
    with pytest.raises(EngineError, match=r"2 photos need .* The weights alone hardly fit: .* --engine sfm"):
        fitting_plans(request(2), device(WEIGHTS - 1))


def test_the_pieces_of_the_processor_and_of_a_gpu_differ() -> None:
    assert next(plans(request(1), device(0))).chunks == plan_module.CPU_PIECES[0]
    assert next(plans(request(1), device(0, "cuda"))).chunks == plan_module.GPU_PIECES[0]
