"""What an older environment has that is still good, as the same files in a new one: nothing is fetched or stored twice.

This module imports nothing beyond the standard library.
"""

import csv
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import InstallError
from ..progress import Cancel, Progress, check
from .failures import unwritable
from .integrity import damaged, installed, recorded
from .layout import any_length
from .locked import Wheel
from .record import Package


def intact_packages(site: Path, packages: Sequence[Package], progress: Progress, cancel: Cancel) -> list[Package]:
    """Those of `packages` that `site` holds whole. Reads every file of theirs. Raises Cancelled."""
    bad = damaged(site, packages, progress, cancel)
    return [package for package in packages if package.name not in bad]


def take_over(old: Path, new: Path, wheels: Sequence[Wheel], cancel: Cancel) -> None:
    """The files of `wheels` from the site-packages `old` in `new`, as second names where the disk has such.

    Raises InstallError, Cancelled.
    """
    there = installed(old)
    old, new = any_length(old), any_length(new)
    for wheel in wheels:
        try:
            rows = recorded(there[wheel.name])
        except (KeyError, OSError, ValueError, csv.Error) as error:  # it was whole a moment ago
            raise InstallError(
                f"{wheel.name} was changed while it was taken over, so nothing was installed: try again.", repr(error)
            ) from error
        for name, digest, _ in rows:
            check(cancel)
            target = new / name
            if not digest and target.suffix == ".pyc":
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(old / name, target)
            except OSError as error:
                raise unwritable(target, error) from error


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # no such names on this disk
        shutil.copy2(source, target)
