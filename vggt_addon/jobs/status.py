"""How a job stands, as the panel shows it.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class JobState(Enum):
    """From QUEUED or RUNNING a job comes to one of the last three, and stays there."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of the job."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment."""

    job: str
    kind: str  # "probe", "plan", "run" or "weights"
    state: JobState
    stage: str = ""  # in plain words
    fraction: float = 0.0  # [0, 1], never falling
    seconds_left: float | None = None  # None while that cannot be told
    sentence: str = ""  # FAILED: for the artist
    detail: str = ""  # FAILED: for the log
    result: Path | None = None  # DONE, of a run: the Reconstruction's folder, which lies in the job's
