"""What an installation would bring, for the artist to see before the click.

This module imports nothing beyond the standard library.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import InstallError
from ..weights.disk import in_gigabytes
from .accelerator import Accelerator, probe
from .licences import OTHERS, licence_lines
from .locked import Lock, load_lock, normalised
from .platforms import this_platform

# In bytes: files to fetch, and what they take unpacked. Read from the package index for the locked versions, but for
# Windows with a GPU, whose builds that index does not have.
_SIZES = {
    ("linux", "cpu"): (344_000_000, 1_257_000_000),
    ("linux", "gpu"): (2_902_000_000, 5_279_000_000),
    ("windows", "cpu"): (256_000_000, 860_000_000),
    ("windows", "gpu"): (2_907_000_000, 5_529_000_000),
    ("macos", "cpu"): (218_000_000, 777_000_000),
}


@dataclass(frozen=True)
class Offer:
    """An installation that was not begun."""

    accelerator: Accelerator
    backend: str  # torch's build; "auto": uv takes the one for the driver
    packages: tuple[str, ...]  # "torch 2.13.0" and all others, with their versions
    licences: tuple[str, ...]  # "pillow: MIT-CMU"
    download: int  # bytes, about
    disk: int  # bytes, about
    folder: Path  # where

    @property
    def sentences(self) -> tuple[str, ...]:
        """For the artist, one line each."""
        lines = [
            f"This machine has {self.accelerator.title}.",
            self.accelerator.note,
            f"Installs {self.packages[0]} {_build(self.backend, self.accelerator)} and {len(self.packages) - 1} "
            f"smaller packages: about {in_gigabytes(self.download)} to download, {in_gigabytes(self.disk)} on disk.",
            f"Where: {self.folder}. Nothing of Blender's is changed.",
            f"Licences: {'; '.join(self.licences)}. {OTHERS}",
        ]
        return tuple(line for line in lines if line)


def make_offer(folder: Path, backend: str = "auto", lock: Lock | None = None) -> Offer:
    """What `install` would do here. Asks the driver, so it takes up to seconds; nothing of the network.

    Raises InstallError where torch is not made for this platform.
    """
    lock = lock or load_lock()
    platform = this_platform()
    system = platform.split("-")[0]
    accelerator = probe()
    chosen = choose_backend(backend, accelerator, system)
    gpu = chosen not in ("cpu", "mps") and not (chosen == "index" and system != "linux")
    download, disk = _SIZES[system, "gpu" if gpu else "cpu"]
    here = lock.names(platform, "{}.{}".format(*sys.version_info[:2]))
    pinned = [re.split("==| ;", line)[:2] for line in lock.requirements]
    named = [(name, version) for name, version in pinned if normalised(name.strip()) in here]
    packages = ([f"torch {lock.torch}"] if lock.torch else []) + sorted(
        {f"{name} {version}" for name, version in named}
    )
    nvidia = gpu and accelerator.kind != "rocm" and not chosen.startswith(("rocm", "xpu"))
    shown = ["torch"] * bool(lock.torch) + ["nvidia"] * nvidia + [name for name, _ in named]
    return Offer(accelerator, chosen, tuple(packages), licence_lines(shown), download, disk, folder)


def choose_backend(asked: str, accelerator: Accelerator, system: str) -> str:
    """Which build of torch to ask for: without a driver for a GPU there is nothing to guess. Raises InstallError."""
    if not re.fullmatch(r"auto|cpu|mps|index|xpu|cu\d{2,3}|rocm\d+(\.\d+)+", asked):
        raise InstallError(
            f"There is no build {asked[:50]!r} of PyTorch: choose auto, cpu, index, cu126, rocm7.2 or the like."
        )
    if asked == "auto":
        return {"none": "cpu", "apple": "mps"}.get(accelerator.kind, "auto")
    return "mps" if asked == "cpu" and system == "macos" else asked  # on Macs it is one build


def _build(backend: str, accelerator: Accelerator) -> str:
    names = {"cpu": "for the processor", "mps": "for the Apple GPU and the processor", "index": "as your index has it"}
    if backend == "auto":
        return f"for {accelerator.name}"
    return names.get(backend, f"in the build {backend}")
