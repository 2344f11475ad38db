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
    from .system_tool import kill_command
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

        def ended(self) -> bool:
            """Whether the process has ended."""
            return self._process.poll() is not None

        def kill(self) -> None:
            """End the process and all that it started."""
            if self._job is not None:
                self._job.end()
                return
            try:
                subprocess.run(
                    kill_command(self._process.pid), capture_output=True, timeout=TOOL_SECONDS, creationflags=FLAGS
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                logger.warning("taskkill: %r", error)
                self._process.kill()

        def await_gone(self, seconds: float) -> None:
            """After `kill`: the Job Object has ended everything in it at once."""

else:

    class ProcessTree:
        """Of a process that was just started, in a session of its own, and that nobody has waited for.

        Until it is waited for, the system gives its number to no other, be it ended or not.
        """

        def __init__(self, process: "subprocess.Popen[bytes]") -> None:
            self._process = process

        def ended(self) -> bool:
            """Whether the process has ended; it keeps its number. False where the system does not tell."""
            if not hasattr(os, "waitid"):  # macOS before Python 3.13
                return False
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

        def kill(self) -> None:
            """End the process and all that it started."""
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError) as error:  # macOS: PermissionError where all have ended
                logger.debug("no process was left to kill: %r", error)

        def await_gone(self, seconds: float) -> None:
            """After `kill`, and after the process was waited for: until what it had started has ended, too."""
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                try:
                    os.killpg(self._process.pid, 0)
                except (ProcessLookupError, PermissionError):
                    return
                time.sleep(0.005)
            logger.debug("the group %d has ended, but nobody has waited for all of it", self._process.pid)
