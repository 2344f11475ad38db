"""How this user's workers are started: by which Python, and with what the preferences say.

This module imports nothing beyond the room; the room jobs only when a worker is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import errands, places
from .preferences import preferences

if TYPE_CHECKING:
    from ..jobs.launch import Launch
    from ..jobs.runner import JobRunner


def make_runner() -> JobRunner:
    """The keeper of a worker that runs by the learned engines' Python where there is one, else by Blender's own."""
    from ..jobs.runner import JobRunner

    chosen = preferences()
    # By what is being changed nothing is started: photos can be looked at without it.
    learned = places.named_python if errands.changes_runtime() else places.learned_python
    python = learned(chosen.python) or places.blenders_python()
    return JobRunner(make_launch(python, chosen.idle_minutes * 60.0))


def make_launch(python: Path, idle_seconds: float) -> Launch:
    """A worker by `python`, which leaves after `idle_seconds` without work."""
    from ..jobs.launch import worker_launch

    chosen = preferences()
    libraries = places.worker_libraries(python)
    return worker_launch(
        python, idle_seconds, places.log_file(), libraries, chosen.weights_folder, log_level=chosen.log_level
    )
