"""What a run of DUSt3R will take, before it starts: does it fit, in which pieces, how much memory, how long.

This module imports torch.
"""

from dataclasses import dataclass

import torch

from ...errors import EngineError
from ..cost import GIGABYTE, pace
from ..layers.chunks import Chunks
from ..layers.devices import Device
from ..layers.main_memory import free_memory
from ..layers.work import Speed, Work
from ..vggt.plan import CPU_PIECES, GPU_PIECES
from . import work
from .config import FULL, Dust3rConfig
from .pairs import scheme_for

BESIDE_LAYERS = 1.25  # a pass takes this much longer than its matrix products alone; see docs/benchmarks.md
ALIGNING = 6.0  # seconds on one core of the machine of engines/cost.py: start and steps, for the pixels that take part
FINDING_DEPTH = 6e-8  # seconds there for each pixel of each map
MAP_BYTES = 20  # of each pixel of each map: point, confidence, and what is made of them a picture at a time
SMALL = 12_000_000  # bytes: tensors of a few tokens, scratch space of the libraries
_COUNTED = 1.3  # what was measured over what is counted, with the blocks' passing tensors


@dataclass(frozen=True)
class Request:
    """What a plan is made for."""

    sizes: tuple[tuple[int, int], ...]  # of the photos' inputs: H, W
    sequence: bool  # the photos are frames of one walk
    dtype: torch.dtype  # in which the blocks multiply
    weights_memory: int  # bytes
    limit: int = 0  # bytes in all that the artist allows on the device; 0: what is free
    config: Dust3rConfig = FULL

    @property
    def pairs(self) -> int:
        """Directed pairs at most."""
        count = len(self.sizes)
        return 1 if count == 1 else scheme_for(count, sequence=self.sequence)[1]

    def allowed(self, device: Device) -> int:
        """Bytes in all that a run may take there."""
        return min(device.free, self.limit) if self.limit else device.free


@dataclass(frozen=True)
class Plan:
    """One way to run, and what it will take."""

    chunks: Chunks
    memory: int  # bytes at the peak on the device, weights and, on a processor, maps among them
    main_memory: int  # bytes of main memory that the maps of all pairs take
    seconds: float | None  # of network and alignment; None where the speed is not known


def plans(request: Request, device: Device, speed: Speed | None = None) -> list[Plan]:
    """Every way to run this on `device`, the quickest first, each with less memory than the one before."""
    pixels = sum(height * width for height, width in request.sizes)
    values = 2 * request.pairs * (pixels // len(request.sizes))
    maps = values * MAP_BYTES
    seconds = None
    if speed is not None:
        aligning = (ALIGNING + FINDING_DEPTH * values) * pace() if len(request.sizes) > 2 else 0.0
        seconds = speed.seconds(whole(request)) * BESIDE_LAYERS + aligning
    found = []
    for chunks in CPU_PIECES if device.is_cpu else GPU_PIECES:
        memory = request.weights_memory + network_memory(request, chunks) + (maps if device.is_cpu else 0)
        found.append(Plan(chunks, memory, maps, seconds))
    return found


def fitting_plans(request: Request, device: Device, speed: Speed | None = None) -> list[Plan]:
    """Those of `plans` that fit. Raises EngineError with a sentence that says what to do, where none does."""
    every, allowed = plans(request, device, speed), request.allowed(device)
    count = len(request.sizes)
    fitting = [plan for plan in every if plan.memory <= allowed]
    pairs = f"{count} photo{'s' * (count > 1)} in {request.pairs} pair{'s' * (request.pairs > 1)}"
    if not fitting:
        raise EngineError(
            f"{pairs} need {every[-1].memory / GIGABYTE:.1f} GB on {device.title}, of which {allowed / GIGABYTE:.1f} "
            "GB can be used: use fewer photos, a smaller --input-size or another engine.",
            f"{every[-1]}",
        )
    if not device.is_cpu and every[0].main_memory > free_memory(otherwise=every[0].main_memory):
        raise EngineError(
            f"The maps of {pairs} take {every[0].main_memory / GIGABYTE:.1f} GB of main memory, more than is free: use "
            "fewer photos or a smaller --input-size.",
            f"{every[0]}",
        )
    return fitting


def whole(request: Request) -> Work:
    """What the network has to do: every photo once, every pair once."""
    encoding = sum((work.encoding(request.config, size) for size in request.sizes), Work())
    decoding = sum((work.decoding(request.config, size, size) for size in request.sizes), Work())
    return encoding + decoding * (request.pairs / len(request.sizes))


def network_memory(request: Request, chunks: Chunks) -> int:
    """Bytes above the weights while the largest pair is decoded, every photo's tokens being there."""
    config, patch = request.config, request.config.patch
    tokens = sum((height // patch) * (width // patch) for height, width in request.sizes)
    height, width = max(request.sizes, key=lambda size: size[0] * size[1])
    patches = (height // patch) * (width // patch)
    kept = 4 * tokens * config.encoder.width
    states = 2 * 4 * patches * (3 * config.decoder.width + sum(config.dense_head.projections))
    answers = 2 * 4 * 4 * patches * patch**2
    features = config.dense_head.features
    refining = 4 * patches * 4 * 16 * features  # the finest map, and three on its way through a unit
    band = 4 * min(chunks.rows, height) * width * (features + features // 2)
    doubling = 4 * patches * (16 * features + 64 * (features // 2)) + band
    return round(_COUNTED * (states + answers + max(refining, doubling))) + kept + SMALL
