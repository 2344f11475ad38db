"""What a network can run on here, in which precision, and how much memory is free.

This module imports torch.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ...errors import EngineError
from .main_memory import free_memory

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# What torch says where memory runs out: CUDA and MPS; its allocator on Linux and macOS, on Windows; CUDA's libraries.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


@dataclass(frozen=True)
class Device:
    """One place to compute."""

    device: torch.device
    title: str  # for the artist: "NVIDIA GeForce RTX 4090", "the processor"
    free: int  # bytes that a run may take now, its weights included, whether they are there already or not
    natural_dtype: torch.dtype  # in which the blocks multiply unless asked otherwise

    @property
    def is_cpu(self) -> bool:
        return self.device.type == "cpu"


def find_device(name: str = "auto", allowed: int = 0) -> Device:
    """The device of that name; "auto": CUDA, else Apple's GPU, else the processor.

    `allowed`: bytes that the artist lets a run take, for systems that do not tell how much main memory is free.
    Raises EngineError with a sentence where it is asked for by name and not there.
    """
    if name not in DEVICES:
        raise EngineError(f"There is no device called {name}: choose one of {', '.join(DEVICES)}.")
    if name in ("auto", "cuda") and torch.cuda.is_available():
        # What torch itself holds is an earlier run's: freed, or a network that this run uses or drops.
        free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
        # bfloat16 has float32's range; below compute capability 8 it is emulated, and float16 is what is quick.
        natural = torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16
        return Device(torch.device("cuda"), torch.cuda.get_device_name(), free, natural)
    if name in ("auto", "mps") and torch.backends.mps.is_available():
        free = torch.mps.recommended_max_memory()  # for this process, what it holds already included: as above
        return Device(torch.device("mps"), "the Apple GPU", free, torch.float32)
    if name in ("auto", "cpu"):
        return Device(torch.device("cpu"), "the processor", free_memory(allowed), torch.float32)
    kind = {"cuda": "No NVIDIA (or ROCm) GPU", "mps": "No Apple GPU"}[name]
    raise EngineError(f"{kind} can be used here: choose --device cpu or auto.", f"torch {torch.__version__}")


def release_memory(device: Device) -> None:
    """Give back what nobody uses any more: what only cycles keep, then what torch's allocator keeps for itself."""
    gc.collect()
    if device.device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """torch computes in so many threads (0: as it is); in a process that goes on, the next run has its own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_dtype(precision: str, device: Device) -> torch.dtype:
    """The dtype in which the blocks multiply. Raises EngineError where the device cannot, or there is no such one."""
    if precision not in PRECISIONS:
        raise EngineError(f"There is no precision called {precision}: choose one of {', '.join(PRECISIONS)}.")
    if precision == "auto":
        return device.natural_dtype
    dtype: torch.dtype = getattr(torch, precision)
    if device.is_cpu and dtype.itemsize == 2 and not _processor_has(dtype):
        raise EngineError(f"This processor cannot compute in {precision}: choose --precision float32.")
    return dtype


def _processor_has(half: torch.dtype) -> bool:
    """Whether matrix products in `half` are quick on the processor; without oneDNN, torch has none that are."""
    if not torch.backends.mkldnn.is_available():
        return False
    if half == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says so; the CPU's and MPS's errors have no type of their own."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in _OUT_OF_MEMORY)
