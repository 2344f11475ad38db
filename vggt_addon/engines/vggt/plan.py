"""What a run will take, before it starts: does it fit, in which pieces, how much memory, how long.

This module imports torch.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch

from ...errors import EngineError
from ..cost import GIGABYTE
from ..layers.chunks import Chunks
from ..layers.devices import Device
from ..layers.work import Speed
from .config import VggtConfig
from .memory import peak_memory
from .work import whole

BESIDE_LAYERS = 1.15  # a forward pass takes this much longer than its matrix products alone; see docs/benchmarks.md
# From quick to small. On a GPU large pieces keep it busy; on a processor they only cost memory.
GPU_PIECES = (
    Chunks(frames=16, tokens=65536, rows=512),
    Chunks(frames=8, tokens=16384, rows=256),
    Chunks(frames=4, tokens=8192, rows=128),
    Chunks(frames=1, tokens=2048, rows=32),
    Chunks(frames=1, tokens=512, rows=8),
)
CPU_PIECES = (
    Chunks(frames=1, tokens=2048, rows=32),
    Chunks(frames=1, tokens=512, rows=16),
    Chunks(frames=1, tokens=128, rows=4),
)


@dataclass(frozen=True)
class Plan:
    """One way to run, and what it will take."""

    photos: int
    size: tuple[int, int]  # of the network's input: H, W
    dtype: torch.dtype  # in which the blocks multiply
    chunks: Chunks
    weights_memory: int  # bytes that the weights take on the device
    memory: int  # bytes above the weights, pictures among them
    seconds: float | None  # of the forward pass; None where the speed is not known

    @property
    def whole_memory(self) -> int:
        """Bytes in all."""
        return self.weights_memory + self.memory


@dataclass(frozen=True)
class Request:
    """What a plan is made for."""

    config: VggtConfig
    heads: Collection[str]
    photos: int
    size: tuple[int, int]  # of the network's input: H, W
    dtype: torch.dtype
    weights_memory: int  # bytes
    limit: int = 0  # bytes in all that the artist allows; 0: what is free

    def allowed(self, device: Device) -> int:
        """Bytes in all that a run may take there."""
        return min(device.free, self.limit) if self.limit else device.free


def plans(request: Request, device: Device, speed: Speed | None = None) -> Iterator[Plan]:
    """Every way to run this on `device`, the quickest first, each with less memory than the one before."""
    seconds = None
    if speed is not None:
        work = whole(request.config, request.photos, request.size, request.heads)
        seconds = speed.seconds(work) * BESIDE_LAYERS
    pictures = 3 * request.photos * request.size[0] * request.size[1]
    for chunks in CPU_PIECES if device.is_cpu else GPU_PIECES:
        peak = peak_memory(request.config, request.photos, request.size, chunks, request.heads, request.dtype.itemsize)
        yield Plan(
            request.photos,
            request.size,
            request.dtype,
            chunks,
            request.weights_memory,
            peak + pictures,
            seconds,
        )


def fitting_plans(request: Request, device: Device, speed: Speed | None = None) -> list[Plan]:
    """Those of `plans` that fit into the memory that is free (and allowed), the quickest first.

    Raises EngineError with a sentence that says what would fit, where none does.
    """
    allowed = request.allowed(device)
    every = list(plans(request, device, speed))
    fitting = [plan for plan in every if plan.whole_memory <= allowed]
    if fitting:
        return fitting
    smallest = every[-1]
    needed = smallest.whole_memory / GIGABYTE
    fewer = _most_photos(request, device, allowed)
    if fewer:
        remedy = f"{fewer} photo{'s' * (fewer > 1)} would fit; half precision or a smaller --input-size takes less."
    else:
        remedy = (
            "The weights alone hardly fit: free some memory, or use another device, half precision or --engine sfm."
        )
    raise EngineError(
        f"{request.photos} photos need {needed:.1f} GB on {device.title}, of which {allowed / GIGABYTE:.1f} GB can be "
        f"used. {remedy}",
        f"{smallest}",
    )


def _most_photos(request: Request, device: Device, allowed: int) -> int:
    """How many photos the smallest pieces leave room for."""
    chunks = (CPU_PIECES if device.is_cpu else GPU_PIECES)[-1]
    low, high = 0, request.photos
    while low < high:
        middle = (low + high + 1) // 2
        pictures = 3 * middle * request.size[0] * request.size[1]
        peak = peak_memory(request.config, middle, request.size, chunks, request.heads, request.dtype.itemsize)
        if request.weights_memory + peak + pictures <= allowed:
            low = middle
        else:
            high = middle - 1
    return low
