"""Blender's side of background work: jobs are handed in and news are read, neither of which ever waits.

    runner = JobRunner(worker_launch(python, 600.0, log))
    runner.submit(Run("1", folder, photos, settings))
    for news in runner.updates(): ...              # from a timer, until `busy` is False

A thread owns the worker process (`supervisor.py`); both are there only while they are needed.
This module imports nothing beyond the standard library.
"""

import threading

from .board import Board, Update
from .launch import Launch
from .protocol import LONGEST_LINE, Hello, Job, encode
from .status import JobState, JobStatus
from .supervisor import Supervisor

__all__ = ["JobRunner", "JobState", "JobStatus"]

_LAST_SECONDS = 6.0  # beyond what `stop` was given: for the system to take away what was killed


class JobRunner:
    """Jobs, one after the other in one worker that stays for the next. For use by one thread, Blender's main one."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._board = Board()
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is queued, running or cancelling, or its end was not read by `updates` yet."""
        return self._board.busy

    @property
    def alive(self) -> bool:
        """Whether there is a worker process."""
        return self._supervisor is not None and self._supervisor.alive

    @property
    def hello(self) -> Hello | None:
        """What the worker said of itself; None where there is no worker, or it has not spoken yet."""
        return self._supervisor.hello if self._supervisor is not None else None

    def submit(self, request: Job) -> None:
        """Put a job at the end of the queue; a worker is started where there is none.

        Raises ValueError where a job of that name has not ended.
        """
        too_long = len(encode(request)) > LONGEST_LINE
        self._board.add(request, "These are more photos than one job can take: use fewer of them." if too_long else "")
        if self._supervisor is None or not self._supervisor.notice():
            self._supervisor = Supervisor(self._launch, self._board)
            self._thread = threading.Thread(target=self._supervisor.run, name="vggt-jobs", daemon=True)
            self._thread.start()

    def cancel(self, job: str) -> None:
        """Ask a job to stop. It ends as cancelled within 2.5 seconds, if need be with its process.

        Nothing happens where it has ended.
        """
        self._board.cancel(job)
        if self._supervisor is not None:
            self._supervisor.notice()

    def updates(self) -> list[Update]:
        """What is new since the last call, in its order; to be asked by a timer on the main thread while `busy`.

        Of several progresses in a row only the last is told.
        """
        return self._board.read()

    def stop(self, seconds: float = 2.0) -> None:
        """End all jobs as cancelled and the worker with its children; they are gone when it returns.

        The worker gets up to half of `seconds` to leave by itself. May be called again, and at exit; a later `submit`
        starts anew.
        """
        if self._supervisor is not None and self._thread is not None:
            self._supervisor.stop(seconds)
            self._thread.join(seconds + _LAST_SECONDS)
            self._supervisor = self._thread = None
        self._board.end_all()
