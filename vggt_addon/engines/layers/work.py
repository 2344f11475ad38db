"""Floating-point operations by kind, and the speed at which a device does them.

This module imports torch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

KNOWN_SECONDS = 60.0  # after which a speed is measured again
ENOUGH_SECONDS = 0.15  # how long a speed is measured, after one call to warm up


@dataclass(frozen=True)
class Work:
    """Floating-point operations, two for a multiplication with its addition; what is not counted is small."""

    linear: float = 0.0  # in linear layers
    attention: float = 0.0  # in the products with queries, keys and values
    convolution: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.linear + other.linear, self.attention + other.attention, self.convolution + other.convolution)

    def __mul__(self, times: float) -> "Work":
        return Work(self.linear * times, self.attention * times, self.convolution * times)

    @property
    def operations(self) -> float:
        """All kinds together."""
        return self.linear + self.attention + self.convolution


@dataclass(frozen=True)
class Speed:
    """Operations a second of each kind."""

    linear: float
    attention: float
    convolution: float

    def seconds(self, work: Work) -> float:
        """How long this work alone takes."""
        return work.linear / self.linear + work.attention / self.attention + work.convolution / self.convolution

    def or_better(self, other: "Speed") -> "Speed":
        """Kind by kind the quicker of the two."""
        return Speed(
            max(self.linear, other.linear),
            max(self.attention, other.attention),
            max(self.convolution, other.convolution),
        )


_known: dict[tuple[torch.device, torch.dtype, int, int, int, int], tuple[Speed, float]] = {}


@torch.inference_mode()
def measure_speed(device: torch.device, blocks_dtype: torch.dtype, tokens: int, width: int, heads: int) -> Speed:
    """A short measurement on `device`, at the shapes of a block with `tokens` tokens of `width` channels.

    Linear layers and attention compute in `blocks_dtype`, convolutions in float32 as the dense heads do. Takes about
    a second.
    """
    stream = torch.rand(tokens, width, device=device).to(blocks_dtype)
    weight = torch.rand(4 * width, width, device=device).to(blocks_dtype)
    sequence = torch.rand(1, heads, tokens, width // heads, device=device).to(blocks_dtype)
    maps = torch.rand(1, 256, 112, 148, device=device).to(memory_format=torch.channels_last)
    kernel = torch.rand(256, 256, 3, 3, device=device)
    return Speed(
        linear=_rate(lambda: functional.linear(stream, weight), 2.0 * weight.numel() * tokens, device),
        attention=_rate(
            lambda: functional.scaled_dot_product_attention(sequence, sequence, sequence),
            4.0 * tokens * tokens * width,
            device,
        ),
        convolution=_rate(
            lambda: functional.conv2d(maps, kernel, padding=1), 2.0 * kernel.numel() * maps[0, 0].numel(), device
        ),
    )


def known_speed(device: torch.device, blocks_dtype: torch.dtype, tokens: int, width: int, heads: int) -> Speed:
    """As `measure_speed`, which is asked again only after a while; of each kind the best that was ever found counts.

    Others who are at work make a measurement slow, never quick; so what is told holds for a machine without them.
    """
    key = device, blocks_dtype, tokens, width, heads, torch.get_num_threads()
    best, measured_at = _known.get(key, (None, 0.0))
    if best is None or time.monotonic() - measured_at > KNOWN_SECONDS:
        found = measure_speed(device, blocks_dtype, tokens, width, heads)
        best = found if best is None else best.or_better(found)
        _known[key] = best, time.monotonic()
    return best


def _rate(call: Callable[[], Tensor], operations: float, device: torch.device) -> float:
    call()
    count, start, passed = 0, _now(device), 0.0
    while passed < ENOUGH_SECONDS:
        call()
        count += 1
        passed = _now(device) - start
    return count * operations / passed


def _now(device: torch.device) -> float:
    """The time when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
