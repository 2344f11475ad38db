"""What VGGT is said to have to do, counted against the calls that it makes.

The reduced network runs; the published one does so on the meta device, which computes nothing.
"""

import math
from collections import Counter
from types import ModuleType

import pytest
import torch

from benchmarks.own_layers import Recorder
from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.layers.work import Speed, Work
from vggt_addon.engines.vggt.config import FULL
from vggt_addon.engines.vggt.network import VGGT, Head
from vggt_addon.engines.vggt.work import steps, whole

AT_ONCE = 10**6  # rows: the dense heads' last convolutions see the whole picture at a time
BOTH: tuple[Head, ...] = ("camera", "depth")


def counted(network: VGGT, frames: int, size: tuple[int, int], chunks: Chunks) -> tuple[Work, list[float]]:
    """The operations that a pass really asks torch for, and how many there were before each call of `on_step`."""
    behind: list[float] = []
    with Recorder() as recorder:
        images = torch.empty(1, frames, 3, *size, dtype=torch.uint8, device=next(network.parameters()).device)
        network(images, None, chunks, lambda: behind.append(sum(call.operations for call in recorder.calls)))
    kinds: Counter[str] = Counter()
    for call in recorder.calls:
        kinds[call.function.__name__] += call.operations
    convolution = kinds["conv2d"] + kinds["conv_transpose2d"]
    return Work(kinds["linear"], kinds["scaled_dot_product_attention"], convolution), behind


def assert_equal(said: Work, real: Work, convolutions: float = 1e-9) -> None:
    assert said.linear == pytest.approx(real.linear, rel=1e-9)
    assert said.attention == pytest.approx(real.attention, rel=1e-9)
    assert said.convolution == pytest.approx(real.convolution, rel=convolutions)


@pytest.mark.parametrize("heads", [BOTH, ("camera",), ("depth",), ("camera", "depth", "point")], ids="+".join)
@pytest.mark.parametrize(
    ("frames", "size", "chunks"),
    [
        (1, (28, 42), Chunks(rows=AT_ONCE)),
        (3, (42, 70), Chunks(frames=2, tokens=13, rows=AT_ONCE)),
        (5, (14, 14), Chunks(frames=9, tokens=7, rows=AT_ONCE)),
    ],
)
def test_work_and_steps_are_those_of_the_network(
    networks: ModuleType, frames: int, size: tuple[int, int], chunks: Chunks, heads: tuple[Head, ...]
) -> None:
    network = networks.make_vggt(heads=heads)
    real, behind = counted(network, frames, size, chunks)
    assert_equal(whole(network.config, frames, size, heads), real)
    every = list(steps(network.config, frames, size, chunks, heads))
    assert len(every) == len(behind)
    assert_equal(sum(every, Work()), real)


def test_the_published_network() -> None:
    chunks = Chunks(rows=AT_ONCE)
    with torch.device("meta"):
        network = VGGT(FULL, BOTH)
    real, behind = counted(network, 2, (28, 70), chunks)
    assert_equal(whole(FULL, 2, (28, 70), BOTH), real)
    assert len(list(steps(FULL, 2, (28, 70), chunks, BOTH))) == len(behind)


@pytest.mark.parametrize(
    "chunks", [Chunks(rows=9), Chunks(frames=2, tokens=5, rows=8), Chunks(frames=3, rows=50), Chunks(rows=1)]
)
def test_each_step_is_told_when_its_work_is_done(networks: ModuleType, chunks: Chunks) -> None:
    """In bands, rows beside each band are done twice: a little more than what is said, and at the same steps."""
    network = networks.make_vggt(heads=BOTH)
    real, behind = counted(network, 3, (42, 56), chunks)
    every = list(steps(network.config, 3, (42, 56), chunks, BOTH))
    assert len(every) == len(behind)
    said, passed = 0.0, []
    for step in every:
        said += step.operations
        passed.append(said)
    if chunks.rows >= 8:
        assert sum(every, Work()).convolution == pytest.approx(real.convolution, rel=0.05)
        for ours, done in zip(passed, behind, strict=True):
            assert ours / passed[-1] == pytest.approx(done / behind[-1], abs=0.05)


def test_what_a_photo_costs_at_the_size_that_the_page_states() -> None:
    one, two, four = (whole(FULL, count, (392, 518), BOTH).operations / 1e12 for count in (1, 2, 4))
    square = (four - 2 * two) / 8  # of a N + b N²
    assert square == pytest.approx(0.107, abs=0.002)
    assert one - square == pytest.approx(2.33, abs=0.02)


def test_seconds_follow_each_kind_of_work() -> None:
    speed = Speed(linear=10.0, attention=5.0, convolution=2.0)
    assert speed.seconds(Work(20.0, 10.0, 8.0)) == 8.0
    assert math.isclose((Work(1, 2, 3) + Work(4, 5, 6) * 2).operations, 36)
