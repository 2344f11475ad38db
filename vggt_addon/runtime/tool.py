"""What a tool that resolves and installs can do: `uv_tool.py` and `pip_tool.py` do it.

This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..progress import Cancel
from .locked import Lock, Wheel

TORCH_INDEX = "https://download.pytorch.org/whl"  # below it one index for every build


@dataclass(frozen=True)
class Target:
    """What packages are chosen for."""

    platform: str  # as in `platforms.TRIPLES`
    version: str  # of Python: "3.11"
    python: Path | None = None  # an environment's, where it is there; it is asked, rather than believed to be usual


class Tool(Protocol):
    """All methods raise InstallError and Cancelled, and NotStartedError where the tool itself does not run."""

    @property
    def name(self) -> str:
        """ "uv" or "pip"."""
        ...

    def create(self, python: Path, environment: Path, cancel: Cancel) -> None:
        """An empty environment of `python` in `environment`, a folder that is not there yet."""
        ...

    def resolve(self, lock: Lock, backend: str, target: Target, cancel: Cancel) -> list[Wheel]:
        """The wheels of `lock` for `target`, torch in the build for `backend`; sizes are 0 where not known."""
        ...

    def install(self, python: Path, files: Sequence[Path], cancel: Cancel) -> None:
        """Wheels into the environment of `python`, without the network."""
        ...
