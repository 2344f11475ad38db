"""What a run is said to take: operations against a count of the network's own, steps against those it calls."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.engines.networks import DUST3R_SMALL, make_dust3r, pictures
from vggt_addon.engines.dust3r import work
from vggt_addon.engines.dust3r.config import FULL, Dust3rConfig
from vggt_addon.engines.dust3r.network import DUSt3R
from vggt_addon.engines.dust3r.plan import Request, fitting_plans, network_memory, plans, whole
from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.errors import EngineError

REPOSITORY = Path(__file__).parents[3]
SIZES = (48, 32), (16, 64)
CHUNKS = Chunks(rows=7)


def counted(config: Dust3rConfig, network: DUSt3R, sizes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Operations of encoding the first photo, and of decoding both."""
    photos = [pictures((1, 3, *size)).to(network.enc_norm.weight.device) for size in sizes]
    with FlopCounterMode(display=False) as counter:
        first = network.encode(photos[0])
    encoding = counter.get_total_flops()
    second = network.encode(photos[1])
    with FlopCounterMode(display=False) as counter:
        network.decode(first, second, Chunks(rows=10**6))
    return encoding, counter.get_total_flops()


def test_the_work_is_what_the_network_does() -> None:
    encoding, decoding = counted(DUST3R_SMALL, make_dust3r(), SIZES)
    assert work.encoding(DUST3R_SMALL, SIZES[0]).operations == pytest.approx(encoding, rel=0.03)
    assert work.decoding(DUST3R_SMALL, *SIZES).operations == pytest.approx(decoding, rel=0.1)


def test_every_step_of_a_pair_is_counted() -> None:
    network, steps = make_dust3r(), []
    first, second = (network.encode(pictures((1, 3, *size))) for size in SIZES)
    network.decode(first, second, CHUNKS, lambda: steps.append(1))
    assert len(steps) == work.steps_of_pair(DUST3R_SMALL, *SIZES, CHUNKS)


def request(count: int, *, sequence: bool = False, limit: int = 0) -> Request:
    return Request(((384, 512),) * count, sequence, torch.float32, 2_300_000_000, limit)


def test_pairs_and_time_grow_as_the_schemes_say() -> None:
    assert [request(count).pairs for count in (1, 2, 3, 16)] == [1, 2, 6, 240]
    assert request(100).pairs < 2000 and request(100, sequence=True).pairs < 1000
    assert whole(request(6)).operations == pytest.approx(
        6 * work.encoding(FULL, (384, 512)).operations + 30 * work.decoding(FULL, (384, 512), (384, 512)).operations
    )


def test_memory_is_near_what_was_measured_for_a_pair() -> None:
    measured = 96e6  # docs/benchmarks.md
    assert measured < network_memory(request(2), Chunks()) < 1.6 * measured


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is measured by Linux's own mark")
def test_memory_is_as_predicted() -> None:
    """Of the network and its maps, in a process of its own, with the published widths and few blocks, which memory
    does not depend on. benchmarks/dust3r_plan.py shows the whole network and the size that it was trained at."""
    command = ["benchmarks/dust3r_plan.py", "--shallow", "--json", "--size", "384x288", "--photos", "2"]
    told = subprocess.run([sys.executable, *command], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    figures = json.loads(told)
    assert figures["pairs"] == 2
    assert figures["memory"] == pytest.approx(figures["peak"], rel=0.15), figures


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of resident memory is measured by Linux's own mark")
def test_the_alignment_takes_no_more_than_the_plan_says() -> None:
    """Of 56 pairs, in a process of its own: more than its maps, and with them less than network and maps."""
    program = """if True:
        from benchmarks.dust3r_plan import find_device, plans, put_together, Request, return_freed_memory
        import torch
        return_freed_memory()
        torch.set_num_threads(1)
        device, request = find_device("cpu"), Request(((192, 256),) * 8, False, torch.float32, 0)
        put_together(3, (24, 32), device)
        plan = plans(request, device)[0]
        print(put_together(8, (192, 256), device).peak * 2**20, plan.memory, plan.main_memory)
    """
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    peak, planned, maps = map(float, told.split())
    assert maps * 16 / 20 < peak < planned, told


def test_smaller_pieces_and_then_a_sentence() -> None:
    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    speed = Speed(1e11, 1e11, 1e11)
    every = plans(request(3), device, speed)
    memories = [plan.memory for plan in every]
    assert memories == sorted(memories, reverse=True) and memories[0] > memories[-1]
    assert every[0].seconds is not None and every[0].seconds > whole(request(3)).operations / 1e11
    tight = request(3, limit=every[-1].memory)
    assert {plan.memory for plan in fitting_plans(tight, device)} == {every[-1].memory}
    with pytest.raises(EngineError, match=r"20 photos in 358 pairs need .* use fewer photos"):
        fitting_plans(request(20, limit=3 * 10**9), device)
