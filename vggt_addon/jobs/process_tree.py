"""A process and all that it starts, as one thing that can be ended.

On POSIX its process group, which it leads; on Windows a Job Object, or where that is refused the system's own tool.
This module imports nothing beyond the standard library.
"""

import logging
import os
import signal
import subprocess
import sys
import time

if sys.platform == "win32":
    from .windows_job import JobObject

logger = logging.getLogger(__name__)

FLAGS = 0  # what a process is started with
if sys.platform == "win32":  # no console window over Blender, no Ctrl-C from its console, and Blender comes first
    FLAGS = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
TOOL_SECONDS = 5.0

if sys.platform == "win32":

    class ProcessTree:
        """Of a process that was just started, with FLAGS."""

        def __init__(self, process: "subprocess.Popen[bytes]") -> None:
            self._process = process
            self._job: JobObject | None = None
            try:
                self._job = JobObject(int(process._handle))  # type: ignore[attr-defined]
            except OSError as error:
                logger.warning("the worker is in no Job Object: %r", error)

        def await_end(self, seconds: float) -> None:
            """Until the process has ended, or the time is over."""
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                logger.debug("process %d has closed its pipe and stays", self._process.pid)

        def kill(self) -> None:
            """End the process and all that it started."""
            if self._job is not None:
                self._job.end()
                return
            command = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            try:
                subprocess.run(command, capture_output=True, timeout=TOOL_SECONDS, creationflags=FLAGS)
            except (OSError, subprocess.TimeoutExpired) as error:
                logger.warning("taskkill: %r", error)
                self._process.kill()

else:

    class ProcessTree:
        """Of a process that was just started, in a session of its own, and that nobody has waited for.

        Until it is waited for, the system gives its number to no other, be it ended or not.
        """

        def __init__(self, process: "subprocess.Popen[bytes]") -> None:
            self._process = process

        def await_end(self, seconds: float) -> None:
            """Until the process has ended, or the time is over; it keeps its number."""
            if not hasattr(os, "waitid"):  # macOS before Python 3.13
                time.sleep(min(seconds, 0.1))
                return
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    return
                time.sleep(0.01)

        def kill(self) -> None:
            """End the process and all that it started."""
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError) as error:  # macOS: PermissionError where all have ended
                logger.debug("no process was left to kill: %r", error)
