"""Floating-point operations by kind, and the speed at which a device does them.

This module imports torch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

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
    """As `measure_speed`, which is asked once in a process for each of these and each number of torch's threads."""
    return _measured(device, blocks_dtype, tokens, width, heads, torch.get_num_threads())


@cache
def _measured(device: torch.device, dtype: torch.dtype, tokens: int, width: int, heads: int, threads: int) -> Speed:
    return measure_speed(device, dtype, tokens, width, heads)


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
