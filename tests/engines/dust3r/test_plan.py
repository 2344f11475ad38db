"""What a run is said to take: operations against a count of the network's own, steps against those it calls."""

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
