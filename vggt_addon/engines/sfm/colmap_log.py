"""Progress of COLMAP calls that have no callback, read from what they log.

Asking their database instead would be exact, but a second copy of SQLite in one process breaks the first one's locks
(COLMAP then dies), and one in another process may make COLMAP's own writes fail. A log line that reads otherwise in
another version of COLMAP costs a smooth bar, nothing else.
This module imports nothing beyond the standard library.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_NAME = "colmap.log"  # in the attempt's folder: what the solver's process writes to stderr
_FILE = re.compile(rb"Processed file \[(\d+)/(\d+)\]")
_BLOCK = re.compile(rb"Processing block \[(\d+)/(\d+), (\d+)/(\d+)\]")
_LISTED = re.compile(rb"Processing block \[(\d+)/(\d+)\]")


def share_done(log: bytes) -> float:
    """How much of the call that wrote `log` is done, [0, 1]: extraction counts files, matching blocks of pairs."""
    done = 0.0
    for match in _FILE.finditer(log):
        done = int(match[1]) / max(int(match[2]), 1)
    for match in _BLOCK.finditer(log):
        row, rows, column, columns = (int(number) for number in match.groups())
        done = ((row - 1) * columns + column - 1) / max(rows * columns, 1)
    for match in _LISTED.finditer(log):
        done = (int(match[1]) - 1) / max(int(match[2]), 1)
    return min(max(done, 0.0), 1.0)


@contextmanager
def watched(log: Path, report: Callable[[float], None], interval: float = 0.25) -> Iterator[None]:
    """While the body runs, report `share_done` of what it adds to `log`."""
    start = log.stat().st_size if log.exists() else 0
    done = threading.Event()

    def watch() -> None:
        while not done.wait(interval):
            if log.exists():
                with log.open("rb") as file:
                    file.seek(start)
                    report(share_done(file.read()))

    report(0.0)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
