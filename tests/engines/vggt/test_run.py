"""One pass within a plan: what it is told to do, what it tells, and what becomes of memory that runs out."""

import itertools
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from vggt_addon.engines.layers.chunks import Chunks, OnStep
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed, Work
from vggt_addon.engines.vggt.output import VggtOutput
from vggt_addon.engines.vggt.plan import CPU_PIECES, Plan, Request, fitting_plans, plans
from vggt_addon.engines.vggt.run import Answer, run
from vggt_addon.engines.vggt.work import steps
from vggt_addon.errors import Cancelled, EngineError
from vggt_addon.progress import Cancel, Progress, never, no_progress

HEADS = ("camera", "depth")
SIZE = (42, 56)
PHOTOS = 3
DEVICE = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
SPEED = Speed(3e9, 2e9, 1e9)
PIECES = (Chunks(frames=2, tokens=19, rows=9), Chunks(frames=1, tokens=7, rows=4), Chunks(frames=1, tokens=3, rows=2))


@pytest.fixture(scope="module")
def network(networks: ModuleType) -> Any:
    return networks.make_vggt(heads=HEADS)


@pytest.fixture(scope="module")
def request_(network: Any) -> Request:
    return Request(network.config, HEADS, PHOTOS, SIZE, torch.float32, weights_memory=1000)


@pytest.fixture(scope="module")
def images(networks: ModuleType) -> Any:
    """(S, H, W, 3) uint8."""
    return networks.pictures((PHOTOS, 3, *SIZE)).permute(0, 2, 3, 1).contiguous().numpy()


def plans_of(request: Request, pieces: tuple[Chunks, ...] = PIECES) -> list[Plan]:
    return [Plan(request.photos, request.size, request.dtype, chunks, 1000, 1000, None) for chunks in pieces]


@pytest.fixture(scope="module")
def go(network: Any, request_: Request, images: Any) -> Callable[..., Answer]:
    """Run `called` (the reduced network) with the three plans, or those that are given."""

    def call(
        called: Any = None, every: list[Plan] | None = None, progress: Progress = no_progress, cancel: Cancel = never
    ) -> Answer:
        def default(pictures: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
            output: VggtOutput = network(pictures, None, chunks, on_step)
            return output

        every = every or plans_of(request_)
        return run(called or default, images, every, request_, DEVICE, SPEED, progress, cancel)

    return call


def assert_same(one: Answer, other: Answer) -> None:
    np.testing.assert_allclose(one.pose_encoding, other.pose_encoding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.depth, other.depth, rtol=1e-4)
    np.testing.assert_allclose(one.confidence, other.confidence, rtol=1e-4)


# --- the answer


def test_the_answer_is_the_networks_last_word(go: Callable[..., Answer], network: Any, networks: ModuleType) -> None:
    answer = go()
    output = network(networks.pictures((1, PHOTOS, 3, *SIZE)))
    assert answer.pose_encoding.dtype == np.float64 and answer.pose_encoding.shape == (PHOTOS, 9)
    assert answer.depth.dtype == answer.confidence.dtype == np.float32
    np.testing.assert_allclose(answer.pose_encoding, output.pose_encoding[-1, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answer.depth, output.depth[0], rtol=1e-4)
    np.testing.assert_allclose(answer.confidence, output.depth_confidence[0], rtol=1e-4)
    assert answer.plan.chunks == PIECES[0]


def test_a_network_without_its_heads_is_no_engine(go: Callable[..., Answer], networks: ModuleType) -> None:
    lacking = networks.make_vggt(heads=("depth",))
    with pytest.raises(ValueError, match="without its camera or depth head"):
        go(lambda pictures, chunks, on_step: lacking(pictures, None, chunks, on_step))


# --- progress and cancel


@pytest.mark.parametrize("pieces", [*PIECES, Chunks(frames=3, tokens=1000, rows=1000)])
def test_progress_is_the_work_that_is_done(go: Callable[..., Answer], request_: Request, pieces: Chunks) -> None:
    told: list[float] = []
    go(every=plans_of(request_, (pieces,)), progress=lambda stage, done: told.append(done))
    every = list(steps(request_.config, PHOTOS, SIZE, pieces, HEADS))
    total = SPEED.seconds(sum(every, Work()))
    expected = [done / total for done in itertools.accumulate(SPEED.seconds(step) for step in every)]
    assert told == pytest.approx(expected, abs=1e-9)
    assert told == sorted(told) and told[-1] == pytest.approx(1)


def test_a_cancel_is_answered_at_every_step(go: Callable[..., Answer], request_: Request) -> None:
    whole = go()
    count = len(list(steps(request_.config, PHOTOS, SIZE, PIECES[0], HEADS)))
    for number in range(count):
        told: list[float] = []
        with pytest.raises(Cancelled):
            go(
                progress=lambda stage, done, told=told: told.append(done),
                cancel=lambda told=told, number=number: len(told) >= number,
            )
        assert len(told) == number, "nothing is told after it was asked for"
    assert_same(go(), whole)


# --- memory


def test_a_low_limit_makes_the_pieces_smaller_and_the_result_the_same(
    go: Callable[..., Answer], request_: Request
) -> None:
    quickest, second, *_ = plans(request_, DEVICE)
    assert quickest.memory > second.memory
    low = Request(**{**vars(request_), "limit": second.weights_memory + second.memory})
    fitting = fitting_plans(low, DEVICE)
    answer = go(every=fitting)
    assert answer.plan.chunks == CPU_PIECES[1]
    assert_same(answer, go(every=[quickest]))


SHORTAGES = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "linux": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 68719476736 bytes."),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 17.95 GB, other allocations: 80.00 KB)"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "python": MemoryError(),
}


@pytest.mark.parametrize("shortage", SHORTAGES.values(), ids=SHORTAGES)
def test_memory_that_runs_out_is_tried_again_with_smaller_pieces(
    go: Callable[..., Answer], network: Any, request_: Request, shortage: Exception
) -> None:
    """The first two plans fail half way; the third one answers, and progress has never fallen."""
    told: list[tuple[str, float]] = []
    tried: list[Chunks] = []

    def short(pictures: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        tried.append(chunks)
        left = iter(range(15))

        def until_half_way() -> None:
            on_step()
            if chunks != PIECES[2] and next(left, None) is None:
                raise shortage

        output: VggtOutput = network(pictures, None, chunks, until_half_way)
        return output

    answer = go(short, progress=lambda stage, done: told.append((stage, done)))
    assert tried == list(PIECES)
    assert answer.plan.chunks == PIECES[2]
    assert_same(answer, go())
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    again = [number for number, (stage, _) in enumerate(told) if stage.startswith("Memory ran out")]
    assert len(again) == 2
    assert all(fractions[number + 20] > fractions[number] for number in again), "it moves on from there"


def test_what_a_failed_try_held_is_free_before_the_next(go: Callable[..., Answer], network: Any) -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def short(pictures: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        if not held:
            large = torch.zeros(1000)
            held.append(weakref.ref(large))
            ring: list[Any] = [large]
            ring.append(ring)  # freed by the garbage collector alone
            raise RuntimeError(str(SHORTAGES["linux"]))
        assert held[0]() is None
        output: VggtOutput = network(pictures, None, chunks, on_step)
        return output

    assert go(short).plan.chunks == PIECES[1]


@pytest.mark.parametrize("shortage", SHORTAGES.values(), ids=SHORTAGES)
def test_memory_that_runs_out_each_time_is_told(go: Callable[..., Answer], shortage: Exception) -> None:
    tried: list[Chunks] = []

    def short(pictures: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        tried.append(chunks)
        raise shortage

    with pytest.raises(EngineError, match=r"memory of the processor ran out with 3 photos: use fewer photos") as caught:
        go(short)
    assert tried == list(PIECES)
    assert type(shortage).__name__ in caught.value.detail or str(shortage) in caught.value.detail


@pytest.mark.parametrize("fault", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("no")])
def test_other_faults_are_not_taken_for_it(go: Callable[..., Answer], fault: Exception) -> None:
    tried: list[Chunks] = []

    def broken(pictures: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        tried.append(chunks)
        raise fault

    with pytest.raises(type(fault), match=str(fault)):
        go(broken)
    assert len(tried) == 1


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np, torch
sys.path.insert(0, ".")
torch.set_num_threads(1)
from benchmarks.machine import measure
from tests.engines import networks
from vggt_addon.engines.layers.allocator import return_freed_memory
from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.engines.vggt.plan import Plan, Request
from vggt_addon.engines.vggt.run import run
from vggt_addon.progress import never

return_freed_memory()
HEADS, SIZE = ("camera", "depth"), (140, 140)
network = networks.make_vggt(heads=HEADS)
images = networks.pictures((6, 3, *SIZE)).permute(0, 2, 3, 1).contiguous().numpy()
request = Request(network.config, HEADS, 6, SIZE, torch.float32, 0)
pieces = Chunks(frames=6, tokens=10**6, rows=10**6), Chunks(frames=1, tokens=64, rows=4)
plans = [Plan(6, SIZE, torch.float32, chunks, 0, 0, None) for chunks in pieces]
device = Device(torch.device("cpu"), "the processor", 0, torch.float32)
told = []

def go(plans):
    def called(pictures, chunks, on_step):
        return network(pictures, None, chunks, on_step)
    def progress(stage, done):
        told.append((stage, done))
    return run(called, images, plans, request, device, Speed(1e9, 1e9, 1e9), progress, never)

expected = go(plans[1:])
large, small = (measure(lambda plan=plan: go([plan]), torch.device("cpu")).peak for plan in plans)
assert large > 3 * small, (large, small)
used = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line)
limit = used * 1024 + int((small + large) / 2 * 2**20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
told.clear()
answer = go(plans)
assert answer.plan is plans[1]
assert [stage for stage, _ in told if "Memory ran out" in stage]
np.testing.assert_allclose(answer.depth, expected.depth, rtol=1e-4)
print("finished with less")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and its measure are Linux's")
def test_memory_that_really_runs_out() -> None:
    """In a process whose address space is limited to between what two plans take."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.stdout == "finished with less\n", done.stderr
