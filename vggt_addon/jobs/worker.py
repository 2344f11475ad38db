"""The worker: a process that reconstructs for Blender, and speaks with it over its standard input and output.

    python -m vggt_addon.jobs.worker [--idle SECONDS] [--log FILE] [--libraries FOLDER]...

The main thread does one job after the other; one thread reads what is asked, so that a cancel is heard at once; one
tells that we live. It leaves when it is told to, when nobody asks any more (Blender is gone), and when it was idle.
This module imports nothing beyond the standard library and numpy; the pipeline only when there is work.
"""

import argparse
import contextlib
import faulthandler
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import FormatError
from .in_use import hold
from .leftovers import remove_leftovers
from .lines import LineTooLongError
from .protocol import (
    HEARTBEAT_SECONDS,
    Cancel,
    Cancelled,
    Failed,
    Heartbeat,
    Hello,
    OtherVersionError,
    Quit,
    Run,
    decode_request,
    job_of,
)
from .warm import WarmEngines
from .worker_channel import Channel, log_to
from .worker_desk import Desk
from .worker_reporter import Reporter
from .worker_tasks import perform

logger = logging.getLogger("vggt_addon.jobs.worker")  # where this module is __main__, too

IDLE_SECONDS = 600.0
POLITE_SECONDS = 1.4  # for a job to stop by itself once we leave
LAST_SECONDS = 1.9  # then even a worker whose interpreter is stuck is gone
NICENESS = 5  # Blender comes first
OTHER_VERSION = (
    "The background worker is of another version than the add-on: restart Blender, and install the add-on again if "
    "that does not help."
)
NOT_UNDERSTOOD = "The background worker was asked something that it does not understand; try again."


class Worker:
    """One process's work."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._desk = Desk()
        self._engines = WarmEngines()
        self._reporter: Reporter | None = None
        self._leaving = threading.Event()
        self._channel = Channel(self.leave)

    def work(self) -> None:
        """Until it is time to leave."""
        from ..engines.states import engine_states

        self._channel.send(Hello(os.getpid(), platform.python_version(), engine_states()))
        for target in (self._listen, self._beat):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()
        while (job := self._desk.take(self._idle)) is not None:
            self._reporter = Reporter(self._channel.send, job.job)
            perform(job, self._channel.send, self._reporter, self._desk.stopped, self._engines)
            self._reporter = None

    def leave(self) -> None:
        """Stop everything soon, at the latest after LAST_SECONDS. From any thread or a signal, any number of times."""
        if self._leaving.is_set():
            return
        self._leaving.set()
        faulthandler.dump_traceback_later(LAST_SECONDS, exit=True)
        self._desk.close()
        threading.Thread(target=self._leave_hard, name="leave", daemon=True).start()

    def _leave_hard(self) -> None:
        time.sleep(POLITE_SECONDS)
        job = self._desk.running
        if isinstance(job, Run):
            remove_leftovers(Path(job.folder))
        logger.warning("left in the middle of %s", job.job if job is not None else "nothing")
        if sys.platform != "win32" and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)  # the camera solver too; it also ends when its pipe closes
        os._exit(1)

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            self._channel.send(Heartbeat())
            reporter = self._reporter
            if reporter is not None:
                reporter.flush()

    def _listen(self) -> None:
        try:
            for line in self._channel.lines():
                self._hear(line)
        except (OSError, LineTooLongError) as error:
            logger.error("what is asked cannot be read: %r", error)
        finally:
            self.leave()

    def _hear(self, line: bytes) -> None:
        try:
            request = decode_request(line)
        except FormatError as error:
            logger.warning("not a request: %s %s", error.sentence, error.detail)
            if job := job_of(line):
                sentence = OTHER_VERSION if isinstance(error, OtherVersionError) else NOT_UNDERSTOOD
                self._channel.send(Failed(job, sentence, error.sentence))
            return
        if isinstance(request, Quit):
            self.leave()
        elif isinstance(request, Cancel):
            if self._desk.cancel(request.job):
                self._channel.send(Cancelled(request.job))
        elif not self._desk.put(request):
            logger.warning("the job %s is there already", request.job)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, take the process over, and work."""
    parser = argparse.ArgumentParser(prog="python -m vggt_addon.jobs.worker")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without work after which it leaves")
    parser.add_argument("--log", type=Path, help="file that the log is added to; without it, stderr")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"), help="what is written")
    parser.add_argument("--libraries", type=Path, action="append", default=[], help="folder of modules, after Python's")
    options = parser.parse_args(arguments)
    sys.path += [str(folder) for folder in options.libraries]  # the camera solver's process gets the path as it is here
    worker = Worker(options.idle)
    log_to(options.log, options.log_level)
    environment = hold(Path(sys.prefix))
    faulthandler.enable()
    _step_back()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is Blender's
    signal.signal(signal.SIGTERM, lambda number, frame: worker.leave())
    logger.info("worker %d of Python %s", os.getpid(), sys.version)
    with environment:
        worker.work()
    logger.info("worker %d leaves", os.getpid())


def _step_back() -> None:
    """Let Blender come first: at the processor (on Windows it sees to that itself), and where memory runs out."""
    if sys.platform != "win32":
        os.nice(NICENESS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a system without /proc: then the kernel chooses as it likes
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


if __name__ == "__main__":
    status = 1
    try:
        main()
        status = 0
    except SystemExit as error:  # wrong options
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        logger.exception("the worker stops")
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)  # without the libraries' own goodbyes, which may hang and hold memory meanwhile
