"""What Blender's main thread and the runner's thread both look at: the jobs in their order, and the news of them.

Every method returns at once. This module imports nothing beyond the standard library.
"""

import dataclasses
import threading
from collections import deque
from typing import Any

from .protocol import REQUESTS, Chosen, Hello, Job, Planned, ProbedPhoto
from .status import JobState, JobStatus

Update = JobStatus | ProbedPhoto | Planned | Chosen | Hello
MOST_UNREAD = 100_000  # news that are kept for a main thread that does not look
_KINDS = {kind: name for name, kind in REQUESTS.items()}


class UnreadError(Exception):
    """More news than anybody reads."""


class Board:
    """The jobs that have not ended, the first of them perhaps running, and what is to be told of all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._statuses: dict[str, JobStatus] = {}  # of jobs that have not ended
        self._news: list[Update] = []
        self._watched = False  # whether somebody is to read the news before we are idle

    @property
    def busy(self) -> bool:
        """Whether a job has not ended, or something is to be read."""
        with self._lock:
            return bool(self._statuses or (self._news and self._watched))

    @property
    def waits(self) -> bool:
        """Whether a job is queued."""
        with self._lock:
            return bool(self._waiting)

    @property
    def running(self) -> Job | None:
        """The job that runs or is cancelled."""
        with self._lock:
            return self._running

    @property
    def cancelling(self) -> bool:
        """Whether the job that runs was asked to stop."""
        with self._lock:
            job = self._running
            return job is not None and self._statuses[job.job].state is JobState.CANCELLING

    def add(self, job: Job, problem: str = "") -> None:
        """Put it at the end of the queue, or let it fail at once with the sentence `problem`.

        Raises ValueError where a job of that name has not ended.
        """
        with self._lock:
            if job.job in self._statuses:
                raise ValueError(f"the job {job.job} is there already")
            self._watched = True
            kind = _KINDS[type(job)]
            if problem:
                self._set(JobStatus(job.job, kind, JobState.FAILED, sentence=problem))
                return
            self._waiting.append(job)
            self._set(JobStatus(job.job, kind, JobState.QUEUED))

    def cancel(self, name: str) -> None:
        """End a job that is queued, or mark the one that runs; nothing where it has ended."""
        with self._lock:
            for job in self._waiting:
                if job.job == name:
                    self._waiting.remove(job)
                    self._change(name, state=JobState.CANCELLED)
                    return
            if name in self._statuses:
                self._change(name, state=JobState.CANCELLING, seconds_left=None)

    def start_next(self) -> Job | None:
        """The first job of the queue, which runs from now on."""
        with self._lock:
            if self._running is not None or not self._waiting:
                return None
            self._running = self._waiting.popleft()
            self._change(self._running.job, state=JobState.RUNNING)
            return self._running

    def put_back(self) -> None:
        """The job that runs becomes the first of the queue; one that was asked to stop has ended."""
        with self._lock:
            job, self._running = self._running, None
            if job is None:
                return
            if self._statuses[job.job].state is JobState.CANCELLING:
                self._change(job.job, state=JobState.CANCELLED)
            else:
                self._waiting.appendleft(job)
                self._change(job.job, state=JobState.QUEUED)

    def progress(self, stage: str, fraction: float, seconds_left: float | None) -> None:
        """How far the job that runs is; a fraction that falls is not told."""
        with self._lock:
            if self._running is not None:
                before = self._statuses[self._running.job]
                left = None if before.state is JobState.CANCELLING else seconds_left
                fraction = max(before.fraction, min(fraction, 1.0))
                self._change(before.job, stage=stage, fraction=fraction, seconds_left=left)

    def end(self, **how: Any) -> None:
        """The job that runs has ended: the changed fields of its JobStatus."""
        with self._lock:
            if self._running is not None:
                job, self._running = self._running, None
                self._change(job.job, seconds_left=None, **how)

    def end_all(self) -> None:
        """Every job has ended as cancelled, and nobody needs to read that."""
        with self._lock:
            self._watched = False
            self._waiting.clear()
            self._running = None
            for name in list(self._statuses):
                self._change(name, state=JobState.CANCELLED, seconds_left=None)

    def tell(self, news: Update) -> None:
        """Add to what is read. Raises UnreadError."""
        with self._lock:
            if len(self._news) >= MOST_UNREAD:
                raise UnreadError
            self._news.append(news)

    def read(self) -> list[Update]:
        """What is new, in its order."""
        with self._lock:
            news, self._news = self._news, []
            return news

    def _change(self, name: str, **fields: Any) -> None:
        self._set(dataclasses.replace(self._statuses[name], **fields))

    def _set(self, status: JobStatus) -> None:
        last = self._news[-1] if self._news else None
        if isinstance(last, JobStatus) and last.job == status.job and last.state is status.state:
            self._news.pop()  # further progress: of interest is where it stands
        self._news.append(status)
        self._statuses[status.job] = status
        if status.state.ended:
            del self._statuses[status.job]
