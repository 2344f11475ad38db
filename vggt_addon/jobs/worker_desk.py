"""What a worker was asked and has not done yet: in its order, one thing at a time, each can be stopped.

This module imports nothing beyond the standard library.
"""

import threading
from collections import deque

from .protocol import Job


class Desk:
    """Filled by the thread that reads, emptied by the one that works."""

    def __init__(self) -> None:
        # Re-entrant, as conditions are: a signal may close the desk while its own thread looks at it.
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._stopped = False  # the job that runs was asked to stop
        self._closed = False

    @property
    def running(self) -> Job | None:
        """What is being done."""
        return self._running

    def stopped(self) -> bool:
        """Whether the job that runs shall stop: a `progress.Cancel`."""
        return self._stopped or self._closed

    def put(self, job: Job) -> bool:
        """Add a job; False where one of its name is there."""
        with self._changed:
            if any(job.job == other.job for other in (*self._waiting, self._running) if other is not None):
                return False
            self._waiting.append(job)
            self._changed.notify()
            return True

    def take(self, seconds: float) -> Job | None:
        """The next job, which runs from now on; None where none comes within that time, or the desk is closed."""
        with self._changed:
            self._running, self._stopped = None, False
            self._changed.wait_for(lambda: self._waiting or self._closed, seconds)
            if self._closed or not self._waiting:
                self._closed = True
                return None
            self._running = self._waiting.popleft()
            return self._running

    def cancel(self, name: str) -> bool:
        """Stop a job; True where it waited and is gone, False where it runs or is not known."""
        with self._changed:
            for job in self._waiting:
                if job.job == name:
                    self._waiting.remove(job)
                    return True
            self._stopped = self._stopped or (self._running is not None and self._running.job == name)
            return False

    def close(self) -> None:
        """Stop the job that runs, drop the others, and let nothing more be taken."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
