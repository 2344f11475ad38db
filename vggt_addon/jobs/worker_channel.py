"""A worker's two pipes, kept for its messages: what libraries print goes to the log, and none reads our input.

This module imports nothing beyond the standard library.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from .lines import read_lines
from .protocol import LONGEST_LINE, Event, encode

logger = logging.getLogger(__name__)


class Channel:
    """Standard input and output of this process from now on; `on_broken` is called where nobody reads any more."""

    def __init__(self, on_broken: Callable[[], None]) -> None:
        sys.stdout.flush()
        self._in, self._out = os.dup(0), os.dup(1)
        with Path(os.devnull).open("rb") as nowhere:
            os.dup2(nowhere.fileno(), 0)
        os.dup2(2, 1)
        if sys.platform == "win32":
            import msvcrt

            for pipe in (self._in, self._out):
                msvcrt.setmode(pipe, os.O_BINARY)
        self._lock = threading.Lock()
        self._on_broken = on_broken

    def send(self, event: Event) -> None:
        """Tell something; from any thread."""
        rest = memoryview(encode(event))
        try:
            with self._lock:
                while rest:
                    rest = rest[os.write(self._out, rest) :]
        except OSError as error:
            logger.warning("nobody reads what is told: %r", error)
            self._on_broken()

    def lines(self) -> Iterator[bytes]:
        """What is asked, until nobody asks any more. Raises LineTooLongError."""
        return read_lines(lambda size: os.read(self._in, size), LONGEST_LINE)


def log_to(path: Path | None, level: str = "INFO") -> None:
    """Add what is printed, and what is logged at `level` or above, to a file; None: to stderr."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
            os.dup2(file.fileno(), 1)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True
    )
    logging.getLogger(__name__.partition(".")[0]).setLevel(level)  # ours: libraries' debugging fills disks
    logging.raiseExceptions = False  # a log that a full disk cuts short is no second failure to tell of
