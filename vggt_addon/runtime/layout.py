"""What lies where in the folder of a private runtime.

    current.json        which environment is in use, and what it was made of: the runtime is what this file says
    e1, e2, ...         environments; any but the current one was left behind, and is removed by whoever has the lock
    downloads/          what is being fetched; kept while an installation has not succeeded
    tools/              uv or pip, while something is made
    python/             a Python of our own, where Blender's cannot make environments
    lock                held by whoever changes anything

An environment is made under the name that it keeps, since programs in it know their place; it counts once current.json
names it. This module imports nothing beyond the standard library.
"""

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InstallError
from ..jobs.in_use import in_use
from ..progress import Cancel, Progress
from ..weights.file_lock import file_lock
from .failures import unwritable

logger = logging.getLogger(__name__)

_ENVIRONMENT = re.compile(r"e[1-9]\d{0,5}")


@dataclass(frozen=True)
class Layout:
    """Of the runtime in `folder`, which need not exist."""

    folder: Path

    @property
    def current(self) -> Path:
        """The file that says what is in use."""
        return self.folder / "current.json"

    @property
    def downloads(self) -> Path:
        """Files that are on their way."""
        return self.folder / "downloads"

    @property
    def tools(self) -> Path:
        """uv or pip."""
        return self.folder / "tools"

    @property
    def python(self) -> Path:
        """A Python of our own."""
        return self.folder / "python"

    @property
    def lock(self) -> Path:
        """An empty file."""
        return self.folder / "lock"

    def environments(self) -> list[Path]:
        """All that are there, whole or not."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _ENVIRONMENT.fullmatch(path.name))

    def leftovers(self) -> list[Path]:
        """All of ours that takes room, be there a runtime or not; for `remove`."""
        part = self.current.with_name(f".{self.current.name}.part")
        others = (self.current, part, self.downloads, self.tools, self.python)
        return [*self.environments(), *(path for path in others if path.exists())]

    def new_environment(self) -> Path:
        """A name that is not taken."""
        taken = {int(path.name[1:]) for path in self.environments()}
        return self.folder / f"e{next(number for number in range(1, len(taken) + 2) if number not in taken)}"

    @contextmanager
    def changing(self, progress: Progress, cancel: Cancel) -> Iterator[None]:
        """The right to change what is in the folder, as long as the block lasts; waits while another process has it.

        Raises Cancelled, and InstallError where the folder cannot be written, be it first or in the block.
        """
        try:
            with file_lock(self.lock, progress, cancel):
                yield
        except OSError as error:
            raise unwritable(self.folder, error) from error


def python_of(environment: Path) -> Path:
    """The Python of an environment, which need not be there."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def starts(environment: Path, windows: bool = os.name == "nt") -> bool:
    """Whether its Python and the one that it was made from are there.

    On Windows the first is a copied launcher, which outlives the second: pyvenv.cfg says where that was.
    """
    try:
        text = (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        home = re.search(r"^home\s*=[ \t]*(\S.*?)\s*$", text, re.MULTILINE)
        if home is None or not python_of(environment).exists():
            return False
        return any(Path(home[1]).glob("python.exe" if windows else "python*"))
    except (OSError, ValueError):  # ValueError: a NUL in it
        return False


def packages_of(environment: Path) -> Path | None:
    """The folder of its packages; None where there is none."""
    if os.name == "nt":
        folder = environment / "Lib" / "site-packages"
        return folder if folder.is_dir() else None
    return next(iter(sorted(environment.glob("lib/python3.*/site-packages"))), None)


def any_length(path: Path) -> Path:
    """`path` by a name that Windows takes at any length; elsewhere as it is."""
    if os.name != "nt" or str(path).startswith("\\\\"):
        return path
    return Path(f"\\\\?\\{path.absolute()}")


def sweep(layout: Layout, current: str) -> None:
    """Remove all environments but the one named `current` and those in use, as far as the system lets them go.

    Needs the lock.
    """
    for place in layout.environments():
        if place.name == current:
            continue
        if in_use(place):  # by another Blender
            logger.info("a worker still runs by %s", place)
        else:
            clear(place)


def clear(path: Path) -> None:
    """Remove what is of no use any more. What the system keeps, as Windows does what is open, the next one removes."""
    try:
        delete(path)
    except InstallError as error:
        logger.info("%s", error.detail)


def delete(path: Path) -> None:
    """Remove a folder or file, whether it is there or not. Raises InstallError where something is in use."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(any_length(path))
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InstallError(
            f"{path} could not be removed, since something in it is in use ({error.strerror or error}): quit all "
            "Blenders, start one, and try again.",
            repr(error),
        ) from error
