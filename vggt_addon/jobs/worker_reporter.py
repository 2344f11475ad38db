"""A job's progress, told often enough for a bar and no oftener.

This module imports nothing beyond the standard library.
"""

import threading
import time
from collections.abc import Callable

from .protocol import Progress

INTERVAL = 0.1  # seconds between two messages


class Reporter:
    """A `progress.Progress` that sends; it never falls. What comes too soon waits for the next call or `flush`."""

    def __init__(self, send: Callable[[Progress], None], job: str) -> None:
        self._send, self._job = send, job
        self._lock = threading.Lock()
        self._stage, self._fraction = "", 0.0
        self._told: tuple[str, float] | None = None
        self._last = -INTERVAL

    def __call__(self, stage: str, fraction: float) -> None:
        with self._lock:
            self._stage = stage
            self._fraction = max(self._fraction, min(fraction, 1.0))
            self._tell()

    def flush(self) -> None:
        """Send what waits; to be called now and then."""
        with self._lock:
            if self._stage:
                self._tell()

    def _tell(self) -> None:
        now, what = time.monotonic(), (self._stage, self._fraction)
        if what != self._told and now - self._last >= INTERVAL:
            self._told, self._last = what, now
            self._send(Progress(self._job, *what))
