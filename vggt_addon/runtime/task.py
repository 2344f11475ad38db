"""Blender's side of what changes a runtime: started, asked how it stands, and cancelled, none of which ever waits.

    task = RuntimeTask(runtime_launch(python, folder, "install", online=True, log=log))
    task.status()                                      # from a timer, until its state has ended
    task.cancel()                                      # ended within 2.5 seconds, with all its processes; a removal
                                                       # that has begun goes on to its end

A thread owns the process. The worker must not run by the runtime meanwhile. This module imports nothing beyond the
standard library.
"""

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

from ..errors import FormatError
from ..jobs.launch import Launch, module_launch
from ..jobs.pace import Pace
from ..jobs.process import ProcessEndedError, WorkerProcess
from ..jobs.protocol import Cancel, Cancelled, Done, Event, Failed, Progress, decode_event, encode
from ..jobs.status import JobState, JobStatus

logger = logging.getLogger(__name__)

JOB = "runtime"  # there is one
ACTIONS = ("install", "repair", "verify", "remove")
CANCEL_SECONDS = 2.0  # between asking and killing
REMOVE_SECONDS = 120.0  # the same for a removal, which goes to its end once it has begun
_LOOK = 0.1  # seconds between two looks at what was asked
_LAST_SECONDS = 6.0  # for the system to take away what was killed

STOPPED = "The installer stopped unexpectedly, and the runtime is as it was: try again."
NOT_STARTED = "The installer could not be started: Blender's own Python cannot be run here. Install Blender again."


def runtime_launch(
    python: Path,
    folder: Path,
    action: str,
    *,
    online: bool,
    log: Path,
    backend: str = "auto",
    archive: Path | None = None,
    lock: Path | None = None,
    log_level: str = "INFO",
) -> Launch:
    """The process for one of "install", "repair", "verify", "remove" of the runtime in `folder`.

    `python` is Blender's; `online` is `bpy.app.online_access`; `lock` is for tests; `log_level` is logging's
    name. See `install.Request`.
    """
    if action not in ACTIONS:
        raise ValueError(action)
    arguments = [action, "--folder", str(folder), "--python", str(python), "--backend", backend, "--log", str(log)]
    arguments += ["--log-level", log_level]
    arguments += ["--online"] * online
    for name, path in (("--archive", archive), ("--lock", lock)):
        if path is not None:
            arguments += [name, str(path)]
    return module_launch(python, "runtime.process", arguments, log)


class RuntimeTask:
    """One run of the process, from now on; `kind` is its action. For use by one thread, Blender's main one."""

    def __init__(self, launch: Launch, kind: str = "install") -> None:
        self._launch = launch
        self._kind = kind
        self._lock = threading.Lock()
        self._status = JobStatus(JOB, kind, JobState.RUNNING)
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vggt-runtime", daemon=True)
        self._thread.start()

    def status(self) -> JobStatus:
        """How it stands; the last word once its state has ended."""
        with self._lock:
            return self._status

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancelled.set()
        with self._lock:
            if not self._status.state.ended:
                self._status = replace(self._status, state=JobState.CANCELLING)

    def stop(self, seconds: float = CANCEL_SECONDS) -> None:
        """Cancel, and wait until no process is left: for when Blender quits."""
        self.cancel()
        self._thread.join(seconds + _LAST_SECONDS)

    def _run(self) -> None:
        try:
            process = WorkerProcess(self._launch)
        except (OSError, ValueError) as error:
            self._end(Failed(JOB, NOT_STARTED, f"{self._launch.command}: {error!r}"))
            return
        end: Event | None = None
        detail = ""
        try:
            end = self._listen(process)
        except ProcessEndedError as ended:
            detail = repr(ended)
        except FormatError as error:
            detail = f"{error.sentence} {error.detail}"
        finally:
            process.kill()
        if end is None:
            end = Failed(JOB, STOPPED, f"{detail}\n{process.last_lines()}")
        self._end(end)

    def _listen(self, process: WorkerProcess) -> Event | None:
        """What it says last; None where it had to be killed. Raises ProcessEndedError, FormatError."""
        pace = Pace(time.monotonic())
        asked: float | None = None
        patience = REMOVE_SECONDS if self._kind == "remove" else CANCEL_SECONDS
        while True:
            if self._cancelled.is_set():
                now = time.monotonic()
                if asked is None:
                    asked = now
                    process.send(encode(Cancel(JOB)))
                elif now - asked > patience:
                    return Cancelled(JOB)
            line = process.next_line(_LOOK)
            if not line:
                continue
            event = decode_event(line)
            if isinstance(event, Progress):
                left = pace.seconds_left(time.monotonic(), event.fraction)
                with self._lock:
                    self._status = replace(self._status, stage=event.stage, fraction=event.fraction, seconds_left=left)
            elif isinstance(event, Done | Failed | Cancelled):
                return event

    def _end(self, event: Event) -> None:
        with self._lock:
            meant = self._cancelled.is_set() and self._kind != "remove"  # which may fail after it was asked to stop
            cancelled = isinstance(event, Cancelled) or (meant and not isinstance(event, Done))
            if cancelled:
                self._status = replace(self._status, state=JobState.CANCELLED, seconds_left=None)
            elif isinstance(event, Failed):
                logger.warning("%s %s", event.sentence, event.detail)
                self._status = replace(
                    self._status,
                    state=JobState.FAILED,
                    sentence=event.sentence,
                    detail=event.detail,
                    seconds_left=None,
                )
            else:
                self._status = replace(self._status, state=JobState.DONE, stage="", fraction=1.0, seconds_left=None)
