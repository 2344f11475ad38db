"""How a worker is started: with which Python, and with what it sees of its surroundings.

This module imports nothing beyond the standard library.
"""

import os
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..weights.store import VARIABLE

PACKAGE = "vggt_addon"  # the name of our folder; inside Blender the same folder is known by a longer one
_PACKAGE_PARENT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Launch:
    """A program to start."""

    command: tuple[str, ...]
    environment: Mapping[str, str]  # all that it sees
    log: Path | None = None  # what it prints on stderr is added here; None: a temporary file


def worker_launch(
    python: Path,
    idle_seconds: float,
    log: Path,
    libraries: Sequence[Path] = (),
    weights_folder: str = "",
    log_level: str = "INFO",
) -> Launch:
    """The worker by `python`, which leaves after `idle_seconds` without a request.

    `libraries` are folders that it finds modules in after Python's own: those of the wheels that Blender unpacks
    for extensions. After, as in Blender: what Blender ships is Blender's, numpy above all, whatever another extension
    has brought into the same folder. Nothing else is on its path: neither the current folder nor the user's own
    packages, and no variable that Blender or a shell has set for a Python of theirs. `weights_folder` is where the
    networks' weights are, from the worker's first words on; "": this user's own place. `log_level` is logging's name.
    """
    arguments = ["--idle", str(idle_seconds), "--log", str(log), "--log-level", log_level]
    for folder in libraries:
        arguments += ["--libraries", str(folder)]
    variables = {VARIABLE: weights_folder} if weights_folder else {}
    return module_launch(python, "jobs.worker", arguments, log, variables)


def module_launch(
    python: Path,
    module: str,
    arguments: Sequence[str],
    log: Path,
    variables: Mapping[str, str] = types.MappingProxyType({}),
) -> Launch:
    """One of our modules ("jobs.worker") as a program by `python`, with `variables` set; see `worker_launch`."""
    command = (str(python), "-m", f"{PACKAGE}.{module}", *arguments)
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("PYTHON")}
    environment["PYTHONPATH"] = str(_PACKAGE_PARENT)
    # As variables, not as options, because the camera solver's process, which the worker starts, inherits them.
    environment |= {"PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", **variables}
    return Launch(command, environment, log)
