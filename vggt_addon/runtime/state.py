"""How the private runtime stands, told in milliseconds from names and sizes alone; nothing of it is run or imported.

This module imports nothing beyond the standard library.
"""

import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from ..errors import FormatError, InstallError
from .integrity import missing
from .layout import Layout, packages_of, python_of, starts
from .locked import load_lock
from .record import Record, read_record


class Condition(Enum):
    """What there is."""

    NONE = "none"
    READY = "ready"
    DAMAGED = "damaged"
    OTHER_PYTHON = "other python"  # works, but belongs to a Blender with another Python
    OUTDATED = "outdated"  # works, but was made by another version of the add-on


@dataclass(frozen=True)
class RuntimeState:
    """The runtime in a folder."""

    condition: Condition
    sentence: str  # for the artist: what is there, and what to do
    python: Path | None  # what the worker can be run with; None where it cannot
    record: Record | None  # what is known of it
    leftovers: bool = False  # there is no runtime, but what is left of one, or of the making of one, can be removed

    @property
    def usable(self) -> bool:
        """Whether a worker runs by it."""
        return self.python is not None

    @property
    def repairable(self) -> bool:
        """Whether Repair would change something."""
        return self.condition in (Condition.DAMAGED, Condition.OTHER_PYTHON, Condition.OUTDATED)


def runtime_state(
    folder: Path, python: tuple[int, int] = (sys.version_info[0], sys.version_info[1]), lock_id: str | None = None
) -> RuntimeState:
    """What is in `folder`, for a Blender whose Python is of version `python`. Raises nothing.

    `lock_id` is what it should have been made from; None: the add-on's own lock.
    """
    layout = Layout(folder)
    try:
        record = read_record(layout.current)
    except FormatError as error:
        return RuntimeState(Condition.DAMAGED, f"The runtime is damaged: {error.sentence} Repair it.", None, None)
    if record is None:
        return _none(bool(layout.leftovers()))
    environment = folder / record.environment
    trouble = _trouble(environment, record)
    if trouble:
        return RuntimeState(Condition.DAMAGED, f"The runtime is damaged: {trouble}. Repair it.", None, record)
    program = python_of(environment)
    if record.lock != (_own_lock_id() if lock_id is None else lock_id):
        sentence = "The runtime works, but belongs to another version of the add-on. Repair it to bring it up to date."
        return RuntimeState(Condition.OUTDATED, sentence, program, record)
    if record.python.split(".")[:2] != [str(number) for number in python]:
        sentence = (
            f"The runtime works, but was made with the Python {record.python} of another Blender. Repair it before "
            "that Blender is removed."
        )
        return RuntimeState(Condition.OTHER_PYTHON, sentence, program, record)
    device = f", on {record.device.name}" if record.device.name else ""
    return RuntimeState(Condition.READY, f"The runtime is ready{device}. {record.note}".strip(), program, record)


def worker_python(folder: Path) -> Path | None:
    """The Python that a worker of the learned engines is run with; None where there is no runtime that works."""
    return runtime_state(folder).python


def _none(leftovers: bool) -> RuntimeState:
    sentence = "The runtime for VGGT is not installed."
    if leftovers:
        sentence += " Something is left of one, or of an installation that was cut off: install it, or remove that."
    return RuntimeState(Condition.NONE, sentence, None, None, leftovers)


def _trouble(environment: Path, record: Record) -> str:
    """What is wrong with it, as far as names tell; empty where nothing is."""
    if not starts(environment):
        return "its Python is gone, perhaps with the Blender that it was made by"
    site = packages_of(environment)
    gone = [package.name for package in record.packages] if site is None else missing(site, record.packages)
    bad = sorted({*gone, *record.damaged})
    if not bad:
        return ""
    if bad == ["torch"]:
        return "PyTorch is not whole, or does not start"
    return f"{', '.join(bad[:3])}{' and others' if len(bad) > 3 else ''} {'is' if len(bad) == 1 else 'are'} not whole"


@cache
def _own_lock_id() -> str:
    try:
        return load_lock().id
    except InstallError:
        return ""
