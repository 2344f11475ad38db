"""What an older environment has that is still good, as the same files in a new one: nothing is fetched or stored twice.

This module imports nothing beyond the standard library.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..progress import Cancel, Progress, check
from .failures import unwritable
from .integrity import installed, intact, recorded
from .layout import any_length
from .locked import Wheel
from .record import Package


def good_wheels(
    site: Path, packages: Sequence[Package], wanted: Sequence[Wheel], progress: Progress, cancel: Cancel
) -> list[Wheel]:
    """Those of `wanted` that `site` holds whole, from the same file. Reads every file of theirs. Raises Cancelled."""
    there = installed(site)
    known = {package.name: package for package in packages}
    good: list[Wheel] = []
    for number, wheel in enumerate(wanted):
        progress("Looking at what is there", number / len(wanted))
        package, found = known.get(wheel.name), there.get(wheel.name)
        if (
            package is not None
            and found is not None
            and package.sha256 == wheel.sha256
            and found.version == wheel.version
            and intact(site, found, cancel)
        ):
            good.append(wheel)
    return good


def take_over(old: Path, new: Path, wheels: Sequence[Wheel], cancel: Cancel) -> None:
    """The files of `wheels` from the site-packages `old` in `new`, as second names where the disk has such.

    Raises InstallError, Cancelled.
    """
    there = installed(old)
    old, new = any_length(old), any_length(new)
    for wheel in wheels:
        for name, digest, _ in recorded(there[wheel.name]):
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
