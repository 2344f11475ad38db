"""What is done in the background beside reconstructions: the private runtime and the networks' weights.

One errand at a time. The controller's timer asks `step` how it goes; preferences and panels show it.
This module imports bpy beyond the standard library.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..errors import UserError
from ..jobs.status import JobState, JobStatus
from . import controller, findings, places, workers
from .preferences import preferences
from .session import Message

if TYPE_CHECKING:
    from ..jobs.lone_job import LoneJob
    from ..runtime.task import RuntimeTask
    from ..weights.catalogue import CatalogueEntry

logger = logging.getLogger(__name__)
RUNTIME = "runtime"
NO_RUNTIME = "Weights are fetched and read with PyTorch: install the runtime first."
OFFLINE = (
    "Blender's online access is off, so nothing was fetched: allow it under Preferences > System > Network, or use a "
    "file that you have."
)
LEAVE_SECONDS = 1.0  # after which a worker without work leaves


@dataclass
class Errand:
    """What is under way."""

    about: str  # RUNTIME, or the id of weights
    title: str  # for the artist: what is done
    done: str  # for the artist, when it is
    task: RuntimeTask | LoneJob  # both have status(), cancel() and stop()
    status: JobStatus = JobStatus("", "", JobState.QUEUED)  # as `step` has seen it last: pages are drawn from this


_errand: Errand | None = None
message: Message | None = None  # how the last one ended, until it is put away


def current() -> Errand | None:
    """What is under way."""
    return _errand


def changes_runtime() -> bool:
    """Whether what a worker of the learned engines runs by is being changed."""
    return _errand is not None and _errand.about == RUNTIME


def change_runtime(action: str, archive: Path | None = None) -> None:
    """Start one of "install", "repair", "verify", "remove". Raises UserError where it cannot even start."""
    from ..runtime.task import RuntimeTask, runtime_launch

    _refuse_a_second()
    if controller.busy():
        raise UserError("A reconstruction is under way, which uses the runtime: wait for it, or cancel it.")
    controller.session().stop()  # a warm worker may run by what is about to change
    launch = runtime_launch(
        places.blenders_python(),
        places.user_folder("runtime"),
        action,
        online=_online(),
        log=places.log_file(),
        archive=archive,
        log_level=preferences().log_level,
    )
    titles = {
        "install": ("Installing the runtime", "The runtime is installed."),
        "repair": ("Repairing the runtime", "The runtime is in order again."),
        "verify": ("Checking the runtime", "The runtime was checked."),
        "remove": ("Removing the runtime", "The runtime is removed."),
    }
    _start(Errand(RUNTIME, *titles[action], RuntimeTask(launch, action)))


def get_weights(entry: CatalogueEntry, file: str = "", *, replace: bool = False) -> None:
    """Download the weights of `entry`, or take the artist's `file` for them; their licence is accepted.

    Raises UserError where that cannot even start.
    """
    import uuid

    from ..jobs.lone_job import LoneJob
    from ..jobs.protocol import GetWeights

    _refuse_a_second()
    chosen = preferences()
    python = places.learned_python(chosen.python)
    if python is None:
        raise UserError(NO_RUNTIME)
    if not file and not _online():
        raise UserError(OFFLINE)
    request = GetWeights(uuid.uuid4().hex, entry.id, file, chosen.token_file, replace)
    title = f"Reading {Path(file).name}" if file else f"Downloading {entry.id}"
    _start(
        Errand(
            entry.id,
            title,
            f"The weights {entry.id} are ready.",
            LoneJob(workers.make_launch(python, LEAVE_SECONDS), request),
        )
    )


def remove_weights(entry: CatalogueEntry) -> None:
    """Delete the weights of `entry` from this disk. Raises UserError where they are in use or cannot be deleted."""
    from ..weights.store import Store, default_folder

    global message
    _refuse_a_second()
    if controller.busy():
        raise UserError("A reconstruction is under way, which may use these weights: wait for it, or cancel it.")
    chosen = preferences().weights_folder
    controller.session().stop()  # a warm worker may have them open
    Store(Path(chosen) if chosen else default_folder()).remove(entry)
    message = Message("INFO", f"The weights {entry.id} are removed.")
    findings.forget()
    controller.worker_changed()


def cancel() -> None:
    """Ask what is under way to stop."""
    if _errand is not None:
        _errand.task.cancel()


def dismiss() -> None:
    """Put away how the last one ended."""
    global message
    message = None


def step() -> bool:
    """Take in how it goes; True while there is one. For the controller's timer."""
    global _errand, message
    if _errand is None:
        return False
    status = _errand.status = _errand.task.status()
    if not status.state.ended:
        return True
    ended, _errand = _errand, None
    if status.state is JobState.DONE:
        message = _how_it_is(ended)
    elif status.state is JobState.FAILED:
        message = Message("ERROR", status.sentence, status.detail)
        logger.error("%s: %s\n%s", ended.title, status.sentence, status.detail)
    findings.forget()
    controller.worker_changed()
    return False


def stop() -> None:
    """End what is under way, and wait for that: the extension is disabled, or Blender quits."""
    global _errand, message
    if _errand is not None:
        _errand.task.stop()
    _errand = message = None


def _start(errand: Errand) -> None:
    global _errand, message
    _errand, message = errand, None
    logger.info("%s", errand.title)
    controller.poll()


def _how_it_is(ended: Errand) -> Message:
    """What to say of an errand that was done: of a check, what it has found."""
    folder = places.runtime_folder()
    if ended.about != RUNTIME or folder is None:
        return Message("INFO", ended.done)
    from ..runtime.state import Condition, runtime_state

    state = runtime_state(folder)
    wrong = state.condition not in (Condition.READY, Condition.NONE)
    return Message("ERROR" if wrong else "INFO", f"{ended.done} {state.sentence}")


def _refuse_a_second() -> None:
    if _errand is not None:
        raise UserError(f"{_errand.title} is under way: wait for it, or cancel it.")


def _online() -> bool:
    return bool(bpy.app.online_access)
