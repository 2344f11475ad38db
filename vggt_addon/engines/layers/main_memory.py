"""How much main memory a process can take, as Linux, Windows and macOS tell it.

This module imports nothing beyond the standard library.
"""

import ctypes
import platform
import subprocess
from pathlib import Path

from ...errors import EngineError

UNLIMITED = 2**62  # bytes: more than any machine has
MEMORY_TABLE = Path("/proc/meminfo")
GROUPS_OF_PROCESS = Path("/proc/self/cgroup")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
_VERSION_2 = ("memory.max", "memory.current", "")


def free_memory(otherwise: int = 0) -> int:
    """Bytes of main memory that a process can take now without pushing others out, file caches counted as free.

    Where the system does not tell, `otherwise`; raises EngineError if that is 0.
    """
    system = platform.system()
    found = {"Linux": _linux_free, "Windows": _windows_free, "Darwin": _mac_free}.get(system, lambda: None)()
    if found is None and not otherwise:
        sentence = "This system does not tell how much memory is free: set a limit with --memory-limit."
        raise EngineError(sentence, system)
    return otherwise if found is None else found


def _linux_free() -> int | None:
    try:
        for line in MEMORY_TABLE.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return max(0, min(int(line.split()[1]) * 1024, _control_groups_free()))
    except OSError:
        return None
    return None


def _control_groups_free() -> int:
    """What the limits of this process's control groups leave, and of those above them; else UNLIMITED.

    In a container the groups' names may be the host's, which are not there; then the topmost folder is its own group.
    """
    free = UNLIMITED
    try:
        groups = GROUPS_OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return free
    for line in groups:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            top, files = CONTROL_GROUPS, _VERSION_2
        elif "memory" in controllers.split(","):
            top, files = CONTROL_GROUPS / "memory", _VERSION_1
        else:
            continue
        group = top / name.strip("/")
        while group != top:
            free = min(free, _group_free(group, *files))
            group = group.parent
        free = min(free, _group_free(top, *files))
    return free


def _group_free(folder: Path, limit_file: str, used_file: str, prefix: str) -> int:
    """What one group's own limit leaves. Its file caches are free, but for those that are someone's memory (tmpfs)."""
    try:
        limit = (folder / limit_file).read_text(encoding="ascii").strip()
        if limit == "max":
            return UNLIMITED
        used = int((folder / used_file).read_text(encoding="ascii"))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        cache = sum(int(counts.get(f"{prefix}{kind}_file", 0)) for kind in ("active", "inactive"))
        return int(limit) - used + cache
    except (OSError, ValueError):  # no such group here, or none that counts memory
        return UNLIMITED


class MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


def _windows_free() -> int | None:
    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.available) if told else None


def _mac_free() -> int | None:
    """What `vm_stat` lists as free, or as given up when asked for."""
    try:
        told = subprocess.run(["vm_stat"], capture_output=True, text=True, check=True).stdout
        page = int(told.split("page size of ")[1].split()[0])
        counts = dict(line.split(":") for line in told.splitlines()[1:] if ":" in line)
        kinds = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")
        return page * sum(int(counts[kind].strip(" .")) for kind in kinds if kind in counts)
    except (OSError, subprocess.CalledProcessError, LookupError, ValueError):
        return None
