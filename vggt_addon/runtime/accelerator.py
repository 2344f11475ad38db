"""Which accelerator this machine has, asked of its driver's own tools: a broken driver does no harm here.

This module imports nothing beyond the standard library.
"""

import csv
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..jobs.process_tree import FLAGS
from ..jobs.system_tool import windows_tool

TOOL_SECONDS = 5.0  # a driver that is stuck takes for ever
NVIDIA_QUERY = "name,memory.total,driver_version,compute_cap"
OLDEST_COMPUTE = 7.5  # that current builds of torch have kernels for
_MEBIBYTE = 1 << 20

Kind = Literal["nvidia", "rocm", "apple", "none"]


@dataclass(frozen=True)
class Accelerator:
    """The first one that torch could use."""

    kind: Kind
    name: str = ""
    memory: int | None = None  # bytes; None where it is the machine's own, or not known
    driver: str = ""  # its version
    compute: float | None = None  # NVIDIA's compute capability
    note: str = ""  # what the artist should know: a sentence

    @property
    def title(self) -> str:
        """In words."""
        if self.kind == "none":
            return "no GPU that PyTorch can use"
        memory = f", {self.memory / 1e9:.0f} GB" if self.memory else ""
        return f"{self.name}{memory}{f', driver {self.driver}' if self.driver else ''}"


NONE = Accelerator("none")


def probe() -> Accelerator:
    """What this machine has. Takes up to a few seconds; raises nothing."""
    system = platform.system()
    if system == "Darwin":
        return apple(platform.machine(), _told(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]) or "")
    found = NONE
    if tool := _nvidia_tool(system):
        told = _told([tool, f"--query-gpu={NVIDIA_QUERY}", "--format=csv,noheader,nounits"])
        found = nvidia(told) if told is not None else NONE
    if found.kind == "none" and system == "Linux" and Path("/dev/kfd").exists():
        tool = shutil.which("rocminfo") or "/opt/rocm/bin/rocminfo"
        found = rocm(_told([tool]) or "")
    return found


def apple(machine: str, brand: str) -> Accelerator:
    """Of a Mac: its processor's architecture and name."""
    if machine != "arm64":
        return Accelerator("none", note="PyTorch does not use the GPU of Intel Macs.")
    return Accelerator("apple", brand.strip() or "Apple silicon")


def nvidia(told: str) -> Accelerator:
    """From nvidia-smi's answer to NVIDIA_QUERY as csv without units: the most capable card."""
    found: list[Accelerator] = []
    for row in csv.reader(told.splitlines(), skipinitialspace=True):
        if len(row) != 4 or not re.fullmatch(r"\d+(\.\d+)*", row[2].strip()):
            continue  # "No devices were found", or a driver that does not answer
        name, memory, driver, compute = (cell.strip() for cell in row)
        capability = float(compute) if re.fullmatch(r"\d+\.\d+", compute) else None
        size = int(memory) * _MEBIBYTE if memory.isdecimal() else None
        note = ""
        if capability is not None and capability < OLDEST_COMPUTE:
            note = f"{name} is older than current builds of PyTorch support: a run may take place on the processor."
        found.append(Accelerator("nvidia", name, size, driver, capability, note))
    return max(found, key=lambda card: (card.compute or 0.0, card.memory or 0), default=NONE)


def rocm(told: str) -> Accelerator:
    """From rocminfo's list of agents: the first GPU; also where the tool is missing, since the driver is there."""
    for agent in re.split(r"^\*+\s*$\n^Agent \d+", told, flags=re.MULTILINE):
        if re.search(r"^\s*Device Type:\s*GPU\s*$", agent, re.MULTILINE):
            name = re.search(r"^\s*Marketing Name:[ \t]*(\S.*?)\s*$", agent, re.MULTILINE)
            return Accelerator("rocm", name[1] if name else "AMD GPU")
    return Accelerator("rocm", "AMD GPU", note="" if told else "rocminfo is not there, so the card is not known.")


def _nvidia_tool(system: str) -> str | None:
    """Where the driver puts it; else where the path leads, but not on Windows, where the current folder comes first."""
    if system == "Windows":
        older = Path(os.environ.get("PROGRAMFILES") or r"C:\Program Files", "NVIDIA Corporation", "NVSMI")
        places = [windows_tool("nvidia-smi.exe"), older / "nvidia-smi.exe"]
        return next((str(place) for place in places if place.is_file()), None)
    known = Path("/usr/bin/nvidia-smi")
    return str(known) if known.exists() else shutil.which("nvidia-smi")


def _told(command: list[str]) -> str | None:
    """What a tool prints; None where it is not there, fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=TOOL_SECONDS, creationflags=FLAGS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
