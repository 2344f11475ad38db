"""What a network can run on here, in which precision, and how much memory is free.

This module imports torch.
"""

import ctypes
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch

from ...errors import EngineError

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Device:
    """One place to compute."""

    device: torch.device
    title: str  # for the artist: "NVIDIA GeForce RTX 4090", "the processor"
    free: int  # bytes that a run may take now; on the CPU this includes what the weights take
    natural_dtype: torch.dtype  # in which the blocks multiply unless asked otherwise

    @property
    def is_cpu(self) -> bool:
        return self.device.type == "cpu"


def find_device(name: str = "auto") -> Device:
    """The device of that name; "auto": CUDA, else Apple's GPU, else the processor.

    Raises EngineError with a sentence where it is asked for by name and not there.
    """
    if name not in DEVICES:
        raise EngineError(f"There is no device called {name}: choose one of {', '.join(DEVICES)}.")
    if name in ("auto", "cuda") and torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        # bfloat16 has float32's range; below compute capability 8 it is emulated, and float16 is what is quick.
        natural = torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16
        return Device(torch.device("cuda"), torch.cuda.get_device_name(), free, natural)
    if name in ("auto", "mps") and torch.backends.mps.is_available():
        free = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        return Device(torch.device("mps"), "the Apple GPU", free, torch.float32)
    if name in ("auto", "cpu"):
        return Device(torch.device("cpu"), "the processor", free_memory(), torch.float32)
    kind = {"cuda": "No NVIDIA (or ROCm) GPU", "mps": "No Apple GPU"}[name]
    raise EngineError(f"{kind} can be used here: choose --device cpu or auto.", f"torch {torch.__version__}")


def choose_dtype(precision: str, device: Device) -> torch.dtype:
    """The dtype in which the blocks multiply. Raises EngineError where the device cannot, or there is no such one."""
    if precision not in PRECISIONS:
        raise EngineError(f"There is no precision called {precision}: choose one of {', '.join(PRECISIONS)}.")
    if precision == "auto":
        return device.natural_dtype
    dtype: torch.dtype = getattr(torch, precision)
    if device.is_cpu and dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise EngineError("This processor cannot compute in bfloat16: choose --precision float32.")
    if device.is_cpu and dtype == torch.float16 and not torch.ops.mkldnn._is_mkldnn_fp16_supported():
        raise EngineError("This processor cannot compute in float16: choose --precision float32.")
    return dtype


def free_memory() -> int:
    """Bytes of main memory that a process can take now without pushing others out, file caches counted as free.

    Raises EngineError where the system does not tell.
    """
    system = platform.system()
    if system == "Linux":
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return min(int(line.split()[1]) * 1024, _control_group_free())
    if system == "Windows":
        return _windows_free()
    if system == "Darwin":
        return _mac_free()
    raise EngineError("This system does not tell how much memory is free: set a limit with --memory-limit.", system)


def _control_group_free() -> int:
    """What a container's limit leaves; without a limit, more than any machine has."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cache = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # no control groups of version 2 here
        return 2**62
    return 2**62 if limit == "max" else int(limit) - used + int(cache.get("file", 0))


def _windows_free() -> int:
    class MemoryStatus(ctypes.Structure):  # MEMORYSTATUSEX
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined]
        raise EngineError("Windows did not tell how much memory is free: set a limit with --memory-limit.")
    return int(status.available)


def _mac_free() -> int:
    told = subprocess.run(["vm_stat"], capture_output=True, text=True, check=True).stdout
    page = int(told.split("page size of ")[1].split()[0])
    counts = dict(line.split(":") for line in told.splitlines()[1:] if ":" in line)
    kinds = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")
    return page * sum(int(counts[kind].strip(" .")) for kind in kinds if kind in counts)
