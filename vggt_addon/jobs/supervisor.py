"""The runner's thread: owns the worker process, hands it one job after the other, and believes it nothing unchecked.

Jobs wait here, not in the worker, so that what waits outlives a worker. Whatever is wrong with the process ends the
job that runs, with one sentence, and the process; the next job gets a new one. What a run leaves half-made in its
folder (`protocol.WORKSPACE`, `RESULT`) is removed before its end is told; a probe's thumbnails stay.
This module imports nothing beyond the standard library.
"""

import logging
import threading
import time
from pathlib import Path

from .board import Board
from .conversation import RUBBISH, Conversation, TroubleError, clear_away
from .launch import Launch
from .leftovers import find_leftovers
from .process import ProcessEndedError, WorkerProcess
from .protocol import Cancel, Hello, Quit, Run, encode
from .status import JobState

logger = logging.getLogger(__name__)

SILENT_SECONDS = 30.0  # without a sign of life
START_SECONDS = 60.0  # until the worker's first words: a cold disk and a virus scanner take their time
CANCEL_SECONDS = 2.0  # between asking and killing
_LOOK = 0.1  # seconds between two looks at the clock
_REST = 1.0  # no silence counts longer between two looks: a machine that slept is no silent worker

STOPPED = "The background worker stopped unexpectedly; try again."
KILLED = (
    "The background worker was stopped by the system, most often for lack of memory: close other programs or use fewer "
    "photos, then try again."
)
SILENT = "The background worker no longer answered and was ended; try again."
NOT_STARTED = (
    "The background worker could not be started: the Python that it needs cannot be run here. Install the add-on "
    "again, or choose another Python in its preferences."
)
STOPPED_AT_ONCE = (
    "The background worker stopped unexpectedly as it started: install the add-on again, or choose another Python in "
    "its preferences."
)
TAKEN = "The folder for this run holds another already; try again."
OURS = "Something unexpected went wrong in the add-on; try again."


class Supervisor:
    """Works off the board's jobs; `run` is the thread, the rest is called by another."""

    def __init__(self, launch: Launch, board: Board) -> None:
        self._launch, self._board = launch, board
        self._lock = threading.Lock()
        self._retired = False
        self._stopping: float | None = None  # seconds that were given
        self._process: WorkerProcess | None = None
        self._talk = Conversation(board)
        self._silence = self._last_look = 0.0
        self._handed_over = False  # whether the process knows of the job that runs
        self._cancel_sent: float | None = None  # when
        self._retried = ""  # the job that was handed over twice

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def hello(self) -> Hello | None:
        """The process's first words."""
        return self._talk.hello if self.alive else None

    def notice(self) -> bool:
        """Make the thread look at the board; False where it has ended and another is needed."""
        with self._lock:
            if not self._retired and self._process is not None:
                self._process.wake()
            return not self._retired

    def stop(self, seconds: float) -> None:
        """Ask the thread to end the process and itself."""
        self._stopping = seconds
        self.notice()

    def run(self) -> None:
        """Until nothing is to be done and no process is left, or `stop` was called."""
        try:
            while self._stopping is None:
                try:
                    if not self._step():
                        return
                except TroubleError as trouble:
                    self._give_up(trouble)
                except Exception as error:
                    logger.exception("the thread of the jobs")
                    self._give_up(TroubleError(OURS, repr(error)))
            self._leave(self._stopping)
        finally:
            with self._lock:
                self._retired = True
            if self._process is not None:
                self._process.kill()

    def _step(self) -> bool:
        """One look at everything; False where the thread is not needed."""
        if self._process is None:
            with self._lock:
                if not self._board.waits:
                    self._retired = True
                    return False
            if not self._begin():  # it was cancelled meanwhile
                return True
            self._start()
        elif self._board.running is None:
            self._begin()
        if self._talk.hello is not None and not self._handed_over:
            self._hand_over()
        assert self._process is not None
        try:
            line = self._process.next_line(_LOOK)
        except ProcessEndedError as ended:
            self._ended(ended)
            return True
        self._count_silence(bool(line))
        if line:
            self._talk.hear(line)
        self._see_to_cancel()
        return True

    def _begin(self) -> bool:
        """Whether there is a new job, which runs from now on."""
        if self._board.start_next() is None:
            return False
        self._talk.begin()
        self._handed_over, self._cancel_sent = False, None
        return True

    def _start(self) -> None:
        self._silence, self._last_look = 0.0, time.monotonic()
        try:
            self._process = WorkerProcess(self._launch)
        except (OSError, ValueError) as error:  # ValueError: a NUL in a path
            raise TroubleError(NOT_STARTED, f"{self._launch.command}: {error!r}") from error
        logger.info("worker %d started", self._process.id)

    def _hand_over(self) -> None:
        job = self._board.running
        if job is None or self._process is None or self._board.cancelling:
            return
        if isinstance(job, Run) and find_leftovers(Path(job.folder)):  # which may be dear to somebody
            self._board.end(state=JobState.FAILED, sentence=TAKEN, detail=job.folder)
            return
        self._process.send(encode(job))
        self._handed_over = True

    def _count_silence(self, heard: bool) -> None:
        now = time.monotonic()
        passed, self._last_look = min(now - self._last_look, _REST), now
        self._silence = 0.0 if heard else self._silence + passed
        if self._silence > (START_SECONDS if self._talk.hello is None else SILENT_SECONDS):
            raise TroubleError(SILENT)

    def _see_to_cancel(self) -> None:
        job = self._board.running
        if job is None or not self._board.cancelling:
            return
        assert self._process is not None
        now = time.monotonic()
        if not self._handed_over:
            self._board.end(state=JobState.CANCELLED)
        elif self._cancel_sent is None:
            self._cancel_sent = now
            self._process.send(encode(Cancel(job.job)))
        elif now - self._cancel_sent > CANCEL_SECONDS:
            raise TroubleError("")  # the end that was asked for

    def _ended(self, ended: ProcessEndedError) -> None:
        """The process has closed its pipe by itself."""
        if ended.too_long:
            raise TroubleError(RUBBISH, "a line without an end")
        assert self._process is not None
        code = self._process.kill()
        job = self._board.running
        fresh = self._talk.hello is None or self._talk.heard
        if code == 0 and (job is None or not (fresh or self._retried == job.job)):
            # It left for being idle, perhaps while a job was on its way to it.
            self._retried = job.job if job is not None else ""
            self._board.put_back()
            self._forget()
            return
        stopped = STOPPED if self._talk.hello is not None else STOPPED_AT_ONCE
        raise TroubleError(KILLED if code in (-9, 137) else stopped, f"the worker ended with {code}")

    def _give_up(self, trouble: TroubleError) -> None:
        """End the process, and with it the job that runs."""
        process = self._process
        code = process.kill() if process is not None else None
        lines = process.last_lines() if process is not None else ""
        detail = "\n".join(filter(None, (trouble.detail, lines)))
        logger.warning("%s (%s) %s", trouble.sentence, code, detail)
        job = self._board.running
        if job is not None:
            if self._handed_over:
                clear_away(job)
            if self._board.cancelling:
                self._board.end(state=JobState.CANCELLED)
            else:
                self._board.end(state=JobState.FAILED, sentence=trouble.sentence, detail=detail)
        self._forget()

    def _leave(self, seconds: float) -> None:
        process, job = self._process, self._board.running
        if process is not None:
            process.send(encode(Quit()))
            process.close_input()
            process.wait(seconds / 2)
            process.kill()
            self._forget()
        if job is not None and self._handed_over:
            clear_away(job)

    def _forget(self) -> None:
        with self._lock:
            self._process = None
            self._talk = Conversation(self._board)
