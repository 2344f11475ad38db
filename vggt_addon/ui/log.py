"""Our own lines in the log, beside the worker's.

This module imports nothing beyond the standard library.
"""

import logging
from pathlib import Path

_ROOT = logging.getLogger(__name__.removesuffix(".ui.log"))  # of the package, whatever it is called here
_handler: logging.Handler | None = None


class _LateFile(logging.Handler):
    """Opens its file at the first line, so that enabling touches no disk; a disk that refuses costs the line only."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(self.format(record) + "\n")
        except OSError:
            self.handleError(record)


def start(path: Path, level: str = "INFO") -> None:
    """Write what this package logs at `level` or above, in any thread, to the end of the file at `path`."""
    global _handler
    _handler = _LateFile(path)
    _ROOT.addHandler(_handler)
    set_level(level)


def set_level(name: str) -> None:
    """What is written from now on: "DEBUG", "INFO" or "WARNING"."""
    if _handler is not None:
        _handler.setLevel(name)
        _ROOT.setLevel(name)


def stop() -> None:
    """Leave the logging of this process as it was."""
    global _handler
    if _handler is not None:
        _ROOT.removeHandler(_handler)
        _ROOT.setLevel(logging.NOTSET)
        _handler = None
