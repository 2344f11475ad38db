"""The linear layers, attentions and convolutions of a forward pass, alone: the speed that the pass could reach."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Call:
    """One such call, without its inputs' values."""

    function: Callable[..., Tensor]
    arguments: tuple[Any, ...]  # weights as they are; inputs as shape, stride, dtype (see `_Blank`)
    options: dict[str, Any]
    operations: int  # floating-point, two for a multiplication with its addition


@dataclass(frozen=True)
class _Blank:
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


def _operations(name: str, arguments: tuple[Any, ...], result: Tensor) -> int:
    if name == "scaled_dot_product_attention":
        batch, heads, queries, width = arguments[0].shape
        return 4 * int(batch * heads * queries * arguments[1].shape[2] * width)
    weight: Tensor = arguments[1]
    if name == "linear":
        return 2 * result.numel() * weight.shape[1]
    if name == "conv_transpose2d":
        return 2 * int(arguments[0].numel()) * math.prod(weight.shape[1:])
    return 2 * result.numel() * math.prod(weight.shape[1:])


class Recorder(TorchFunctionMode):
    """While active, keeps every call that multiplies matrices."""

    NAMES = ("linear", "scaled_dot_product_attention", "conv2d", "conv_transpose2d")

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        result = function(*args, **options)
        name = getattr(function, "__name__", "")
        if name in self.NAMES:
            blanks = 3 if name == "scaled_dot_product_attention" else 1
            inputs = tuple(_Blank(tuple(x.shape), x.stride(), x.dtype) for x in args[:blanks])
            operations = _operations(name, args, result)
            self.calls.append(Call(function, (*inputs, *args[blanks:]), options, operations))
        return result


@torch.inference_mode()
def replay(calls: list[Call], device: torch.device) -> Callable[[], None]:
    """A function that makes the same calls in the same order on inputs of the same shapes and layout, nothing else."""
    buffers: dict[tuple[torch.dtype, int], Tensor] = {}

    def filled(blank: _Blank, place: int) -> Tensor:
        size = 1 + sum((count - 1) * step for count, step in zip(blank.shape, blank.stride, strict=True))
        held = buffers.get((blank.dtype, place))
        if held is None or held.numel() < size:
            held = torch.rand(size, dtype=torch.float32, device=device).to(blank.dtype)
            buffers[(blank.dtype, place)] = held
        return held

    for call in calls:
        for place, argument in enumerate(call.arguments):
            if isinstance(argument, _Blank):
                filled(argument, place)

    def run() -> None:
        with torch.inference_mode():
            for call in calls:
                arguments = [
                    filled(argument, place).as_strided(argument.shape, argument.stride)
                    if isinstance(argument, _Blank)
                    else argument
                    for place, argument in enumerate(call.arguments)
                ]
                call.function(*arguments, **call.options)

    return run


def large_product(dtype: torch.dtype, device: torch.device, side: int = 4096) -> tuple[Callable[[], Tensor], int]:
    """One large matrix product, as a measure of the machine, and its operations."""
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return lambda: functional.linear(left, right), 2 * side**3
