"""A runtime that is there: looked into, and removed.

This module imports nothing beyond the standard library.
"""

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

from ..errors import InstallError
from ..jobs.in_use import in_use
from ..progress import Cancel, Progress, span
from .environment import try_device
from .integrity import damaged
from .layout import Layout, delete, packages_of, python_of, starts
from .locked import Lock
from .record import Record, known_record, write_record
from .sources import child_environment, configured

LEAVE_SECONDS = 3.0  # for a worker that was told to leave
PAUSE = 0.1  # seconds between two looks
logger = logging.getLogger(__name__)


def verify(folder: Path, lock: Lock, progress: Progress, cancel: Cancel) -> Record:
    """Read every file of the runtime, try its device, and write down what was found.

    Damage is no failure: the record has it, and `runtime_state` says it. Raises InstallError where there is no runtime
    or its torch does not run, which is written down as damage of it, and Cancelled.
    """
    layout = Layout(folder.absolute())
    if known_record(layout.current) is None:
        raise InstallError(f"There is no runtime in {folder}: install it first.")
    with layout.changing(progress, cancel):
        record = known_record(layout.current)
        if record is None:
            raise InstallError(f"There is no runtime in {folder} any more: install it first.")
        place = layout.folder / record.environment
        site = packages_of(place)
        if site is None:
            bad = [package.name for package in record.packages]
        else:
            bad = damaged(site, record.packages, span(progress, 0.0, 0.9), cancel)
        record = replace(record, damaged=tuple(sorted(bad)))
        write_record(layout.current, record)
        if not bad and starts(place):
            progress("Trying the device", 0.9)
            try:
                device, note = try_device(python_of(place), child_environment(configured()), lock, cancel)
            except InstallError:
                write_record(layout.current, replace(record, damaged=("torch",)))
                raise
            record = replace(record, device=device, note=note)
            write_record(layout.current, record)
        progress("Done", 1.0)
        return record


def remove(folder: Path, progress: Progress, cancel: Cancel) -> None:
    """Remove the runtime and its folder, without a trace, and what an installation that was cut off has left.

    `cancel` is asked only while another process is at it: what has begun goes to its end. Raises Cancelled then, and
    InstallError where something is in use, be it by another Blender's worker: then there is no runtime any more,
    `RuntimeState.leftovers` says that something is left, and the next try removes it.
    """
    layout = Layout(folder.absolute())
    if not layout.folder.exists():
        return
    with layout.changing(progress, cancel):
        progress("Removing", 0.1)
        delete(layout.current)  # first, so that no worker starts by what is half gone
        used = _await_unused(layout)
        for path in layout.leftovers():
            if path not in used and not (used and path == layout.python):  # which it may have been made from
                delete(path)
        if used:
            raise InstallError(
                f"The runtime is removed but for {used[0]}, which a worker of another Blender still runs by: quit that "
                "Blender, then remove it again."
            )
        if os.name != "nt":  # while it is ours; Windows removes nothing that is open
            _remove_lock(layout)
    if os.name == "nt":
        _remove_lock(layout)


def _await_unused(layout: Layout) -> list[Path]:
    """Environments that a worker runs by and goes on to: our own Blender's is about to leave."""
    end = time.monotonic() + LEAVE_SECONDS
    while (used := [place for place in layout.environments() if in_use(place)]) and time.monotonic() < end:
        time.sleep(PAUSE)
    return used


def _remove_lock(layout: Layout) -> None:
    """The lock and the folder, unless another process waits for it or has files of its own there: then they stay."""
    try:
        layout.lock.unlink(missing_ok=True)
        if not any(layout.folder.iterdir()):
            layout.folder.rmdir()
    except OSError as error:
        logger.info("%s stays: %r", layout.folder, error)
