"""What one worker process says, checked: the right message at the right time, and no path that leads out.

This module imports nothing beyond the standard library.
"""

import logging
import time
from pathlib import Path

from ..errors import FormatError
from .board import Board, UnreadError
from .leftovers import remove_leftovers
from .pace import Pace
from .protocol import (
    Cancelled,
    Chosen,
    Done,
    Event,
    Failed,
    Heartbeat,
    Hello,
    Job,
    OtherVersionError,
    Plan,
    Planned,
    Probe,
    ProbedPhoto,
    Progress,
    Run,
    decode_event,
    inside,
)
from .status import JobState

logger = logging.getLogger(__name__)

MOST_RUBBISH = 3  # lines that are no message
RUBBISH = "The background worker sent something that is no message of ours and was ended; try again."
OTHER_VERSION = (
    "The background worker is of another version than the add-on: restart Blender, and install the add-on again if "
    "that does not help."
)
OUT_OF_TURN = "The background worker spoke of something that it was not asked for and was ended; try again."
LEADS_OUT = "The background worker named a file outside of its folder and was ended; nothing of it was used."
NO_RESULT = "The background worker said that it is done, but its result is not there; try again."
UNREAD = "The background worker told more than could be read and was ended; try again."
_STAGE_LETTERS = 200


class TroubleError(Exception):
    """The process cannot be worked with any longer: a sentence for the artist, and the detail for the log."""

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence, detail)
        self.sentence, self.detail = sentence, detail


class Conversation:
    """With one process, from its first line to its last; what it says goes to `board`."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._rubbish = 0
        self._pace = Pace(time.monotonic())
        self.hello: Hello | None = None  # the first words
        self.heard = False  # whether something was said of the job that runs

    def begin(self) -> None:
        """Another job runs."""
        self._pace = Pace(time.monotonic())
        self.heard = False

    def hear(self, line: bytes) -> None:
        """One line. Raises TroubleError."""
        try:
            event = decode_event(line)
        except OtherVersionError as error:
            raise TroubleError(OTHER_VERSION, f"{error.sentence} {error.detail}") from error
        except FormatError as error:
            self._rubbish += 1
            logger.warning("the worker sent no message: %s %s", error.sentence, error.detail)
            if self._rubbish >= MOST_RUBBISH:
                raise TroubleError(RUBBISH, f"{error.sentence} {error.detail}") from error
            return
        try:
            self._take(event)
        except UnreadError as error:
            raise TroubleError(UNREAD) from error

    def _take(self, event: Event) -> None:
        if isinstance(event, Hello):
            if self.hello is not None:
                raise TroubleError(OUT_OF_TURN, repr(event))
            self.hello = event
            self._board.tell(event)
        elif self.hello is None:
            raise TroubleError(OUT_OF_TURN, repr(event))
        elif not isinstance(event, Heartbeat):
            job = self._board.running
            if job is None or event.job != job.job:
                raise TroubleError(OUT_OF_TURN, repr(event)[:1000])
            self.heard = True
            self._take_of_job(event, job)

    def _take_of_job(
        self, event: Progress | ProbedPhoto | Planned | Chosen | Done | Failed | Cancelled, job: Job
    ) -> None:
        match event, job:
            case Progress(), _:
                left = self._pace.seconds_left(time.monotonic(), event.fraction)
                self._board.progress(event.stage[:_STAGE_LETTERS], event.fraction, left)
            case ProbedPhoto(), Probe():
                if event.thumbnail:
                    _inside(job.folder, event.thumbnail)
                self._board.tell(event)
            case Planned(), Plan():
                self._board.tell(event)
            case Chosen(), Run():
                self._board.tell(event)
            case Done(), _:
                self._end_well(event, job)
            case ((Failed() | Cancelled()), _):
                self._end_badly(event, job)
            case _:
                raise TroubleError(OUT_OF_TURN, repr(event)[:1000])

    def _end_well(self, event: Done, job: Job) -> None:
        if isinstance(job, Run):
            result = _inside(job.folder, event.result)
            if not result.is_dir():
                raise TroubleError(NO_RESULT, str(result))
        elif event.result:
            raise TroubleError(OUT_OF_TURN, repr(event)[:1000])
        if self._board.cancelling:  # too late to stop, but the artist expects nothing any more
            self._end_badly(Cancelled(job.job), job)
            return
        self._board.end(state=JobState.DONE, stage="", fraction=1.0, result=result if isinstance(job, Run) else None)

    def _end_badly(self, event: Failed | Cancelled, job: Job) -> None:
        clear_away(job)
        if isinstance(event, Failed):
            logger.warning("job %s: %s %s", job.job, event.sentence, event.detail)
        if isinstance(event, Cancelled) or self._board.cancelling:
            self._board.end(state=JobState.CANCELLED)
        else:
            self._board.end(state=JobState.FAILED, sentence=event.sentence, detail=event.detail)


def clear_away(job: Job) -> None:
    """Remove what a run that did not end well has left in its folder."""
    if isinstance(job, Run):
        remove_leftovers(Path(job.folder))


def _inside(folder: str, name: str) -> Path:
    try:
        return inside(Path(folder), name)
    except FormatError as error:
        raise TroubleError(LEADS_OUT, error.sentence) from error
