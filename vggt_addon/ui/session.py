"""What this Blender session knows and no file keeps: the worker, what it found in photos, the plan, and the run.

Panels read it, operators ask it, the controller moves it on. It knows nothing of scenes.
This module imports nothing beyond the standard library and the room jobs; most of that only when there is a job, since
it takes longer than all else that enabling the extension does.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..jobs.status import JobState, JobStatus

if TYPE_CHECKING:
    from ..jobs.protocol import Chosen, EngineState, Planned, ProbedPhoto
    from ..jobs.runner import JobRunner
    from ..settings import RunSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """A sentence for the artist that stays in the panel until it is dismissed."""

    kind: str  # "INFO" or "ERROR"
    sentence: str
    detail: str = ""  # for the log and the clipboard


@dataclass
class ActiveRun:
    """A reconstruction from the press of the button until its scene stands."""

    job: str
    folder: Path  # of the job; removed when all is over
    name: str  # of the capture to be
    scene: int  # session_uid of the scene that it was asked for in: its name may change meanwhile
    status: JobStatus
    chosen: Chosen | None = None  # None until the worker has decided
    root: int = 0  # session_uid of the root whose capture the photos are added to; 0: they become one of their own


class Session:
    """`make_runner` is called when a worker is first needed, and after `renew`; `thumbnails` is a folder of ours."""

    def __init__(self, make_runner: Callable[[], JobRunner], thumbnails: Path) -> None:
        self._make_runner = make_runner
        self._thumbnails = thumbnails
        self._runner: JobRunner | None = None
        self._outdated = False  # whether another is to be made once this one has nothing to do
        self._folders: dict[str, Path] = {}  # of probes, by job
        self._asked: dict[str, frozenset[str]] = {}  # paths, by probe under way
        self._plan_job = ""
        self.facts: dict[str, ProbedPhoto] = {}  # by absolute path
        self.thumbnails: dict[str, Path] = {}  # by absolute path
        self.engines: tuple[EngineState, ...] = ()
        self.planned: Planned | None = None
        self.plan_problem = ""
        self.run: ActiveRun | None = None
        self.message: Message | None = None

    @property
    def runner(self) -> JobRunner:
        """The worker's keeper, made when first asked for."""
        if self._runner is not None and self._outdated and not self._runner.busy:
            self._runner.stop()
            self._runner = None
        if self._runner is None:
            self._runner, self._outdated = self._make_runner(), False
        return self._runner

    @property
    def working(self) -> bool:
        """Whether the worker has something to do for us."""
        return self._runner is not None and self._runner.busy

    @property
    def planning(self) -> bool:
        """Whether a plan was asked for and has not come."""
        return bool(self._plan_job)

    def renew(self) -> None:
        """What the worker is started with has changed: once this one has nothing to do, another takes its place."""
        self._outdated = True
        if self.run is None:
            self.engines = ()  # what is known of them is of before

    def probe(self, paths: Sequence[str]) -> None:
        """Look at those of `paths` that are not known yet; what is found comes with `step`.

        What is known of others is forgotten, so that a photo that was mended is looked at anew when it is added again.
        """
        listed = set(paths)
        self.facts = {path: facts for path, facts in self.facts.items() if path in listed}
        under_way = {path for asked in self._asked.values() for path in asked}
        unknown = tuple(path for path in paths if path not in self.facts and path not in under_way)
        if not unknown:
            return
        from ..jobs.protocol import Probe

        job = uuid.uuid4().hex
        folder = self._thumbnails / job
        folder.mkdir(parents=True)
        self._folders[job], self._asked[job] = folder, frozenset(unknown)
        self.runner.submit(Probe(job=job, folder=str(folder), photos=unknown))

    def plan(self, photos: Sequence[str], settings: RunSettings) -> None:
        """Ask what a run would take; an older question is given up."""
        self.forget_plan()
        if photos:
            from ..jobs.protocol import Plan

            self._plan_job = uuid.uuid4().hex
            self.runner.submit(Plan(job=self._plan_job, photos=tuple(photos), settings=settings))

    def forget_plan(self) -> None:
        """The plan that is shown is of other photos or settings."""
        if self._plan_job and self._runner is not None:
            self._runner.cancel(self._plan_job)
        self._plan_job, self.planned, self.plan_problem = "", None, ""

    def start(
        self,
        folder: Path,
        name: str,
        scene: int,
        photos: Sequence[str],
        settings: RunSettings,
        *,
        capture: Path | None = None,
        root: int = 0,
    ) -> None:
        """Start a run in `folder`, which is its own and exists; see ActiveRun. `capture` is that of `root`."""
        from ..jobs.protocol import Run

        self.forget_plan()
        self.message = None
        job = uuid.uuid4().hex
        status = JobStatus(job=job, kind="run", state=JobState.QUEUED)
        self.run = ActiveRun(job, folder, name, scene, status, root=root)
        there = "" if capture is None else str(capture)
        self.runner.submit(Run(job=job, folder=str(folder), photos=tuple(photos), settings=settings, capture=there))

    def cancel(self) -> None:
        """Ask the worker to stop the run; its end comes with `step`."""
        if self.run is not None and not self.run.status.state.ended:
            self.runner.cancel(self.run.job)

    def tell(self, kind: str, sentence: str, detail: str = "") -> None:
        """Show `sentence` in the panel until it is dismissed, and log it with its detail."""
        self.message = Message(kind, sentence, detail)
        logger.log(logging.ERROR if kind == "ERROR" else logging.INFO, "%s\n%s", sentence, detail)

    def step(self) -> bool:
        """Take in what the worker told since the last step; True where anything that is shown has changed."""
        if self._runner is None:
            return False
        from ..jobs.protocol import Chosen, Hello, Planned, ProbedPhoto

        updates = self._runner.updates()
        for update in updates:
            if isinstance(update, Hello):
                self.engines = update.engines
            elif isinstance(update, ProbedPhoto):
                self._take_photo(update)
            elif isinstance(update, Planned):
                if update.job == self._plan_job:
                    self.planned = update
            elif isinstance(update, Chosen):
                if self.run is not None and update.job == self.run.job:
                    self.run.chosen = update
            else:
                self._take_status(update)
        return bool(updates)

    def stop(self) -> None:
        """End the worker; returns when no process is left."""
        if self._runner is not None:
            self._runner.stop()
            self._runner = None
        self._asked.clear()
        self._plan_job = ""

    def _take_photo(self, photo: ProbedPhoto) -> None:
        if photo.path not in self._asked.get(photo.job, frozenset()):
            return  # nobody asked for it: the worker is believed nothing
        self.facts[photo.path] = photo
        folder = self._folders.get(photo.job)
        if folder is not None and photo.thumbnail:
            self.thumbnails[photo.path] = folder / photo.thumbnail

    def _take_status(self, status: JobStatus) -> None:
        if status.job == self._plan_job and status.state.ended:
            self._plan_job = ""
            if status.state is JobState.FAILED:
                self.plan_problem = status.sentence
        elif status.job in self._asked and status.state.ended:
            del self._asked[status.job]
            if status.state is JobState.FAILED:
                self.tell("ERROR", status.sentence, status.detail)
        elif self.run is not None and status.job == self.run.job:
            self.run.status = status
