"""Time and memory of a call, on the CPU and on CUDA: what the networks' benchmark measures with."""

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Cost:
    """One call's cost."""

    seconds: float  # by the wall's clock; on CUDA up to the end of the last kernel
    processor_seconds: float  # of all threads
    peak: float  # MB above what was held before: resident memory on the CPU, allocated memory on CUDA
    reserved: float  # MB: on CUDA what the allocator took from the device in all; 0 on the CPU


def _resident(field: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def measure(call: Callable[[], object], device: torch.device) -> Cost:
    """Run once. The peak of resident memory is Linux's own high-water mark, reset before (needs /proc)."""
    if device.type == "cuda":
        return _measure_cuda(call, device)
    ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left free must not count as held
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    held, start, processor = _resident("VmRSS"), time.perf_counter(), time.process_time()
    call()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    return Cost(seconds, processor, _resident("VmHWM") - held, 0.0)


def _measure_cuda(call: Callable[[], object], device: torch.device) -> Cost:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    held, start, processor = torch.cuda.memory_allocated(device), time.perf_counter(), time.process_time()
    call()
    torch.cuda.synchronize(device)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = torch.cuda.max_memory_allocated(device) - held
    return Cost(seconds, processor, peak / 2**20, torch.cuda.max_memory_reserved(device) / 2**20)


def median(costs: list[Cost]) -> Cost:
    """Field by field, but the peak, of which the largest counts."""
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.processor_seconds for cost in costs),
        max(cost.peak for cost in costs),
        max(cost.reserved for cost in costs),
    )


def alternate(calls: dict[str, Callable[[], object]], device: torch.device, repeat: int) -> dict[str, Cost]:
    """Each call `repeat` times, in turns, so that a busy machine is busy for all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            costs[name].append(measure(call, device))
    return {name: median(found) for name, found in costs.items()}
