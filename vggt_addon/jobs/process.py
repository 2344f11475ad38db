"""One worker process as the operating system has it: started, spoken with, and ended together with its children.

On POSIX it leads a session and a process group, which its children stay in; on Windows a Job Object holds them all.
This module imports nothing beyond the standard library.
"""

import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from .launch import Launch
from .lines import LineTooLongError, read_lines
from .process_tree import FLAGS, ProcessTree
from .protocol import LONGEST_LINE

logger = logging.getLogger(__name__)

_UNREAD_LINES = 64  # that are held; the worker waits while nobody takes them
_TAIL = 4000  # bytes: the last lines of a log
_LARGEST_LOG = 1 << 20  # bytes; a larger one is put aside when the next process starts
_LOOKS = 3  # in vain, after which a process that has ended is believed to have nothing more to say
_GOODBYE_SECONDS = 0.5  # between closing the pipe and ending
_CHILDREN_SECONDS = 0.1  # for its children to follow
_LAST_SECONDS = 5.0  # for the system to take away what was killed


class ProcessEndedError(Exception):
    """The process has closed its pipe, by ending or otherwise. `too_long`: it sent a line that is no message."""

    def __init__(self, too_long: bool) -> None:
        super().__init__(too_long)
        self.too_long = too_long


class WorkerProcess:
    """Start `launch`. Raises OSError where that cannot be done. All methods may be called from any thread."""

    def __init__(self, launch: Launch) -> None:
        self._tail = ""
        self._code: int | None = None
        self._silent_looks = 0
        self._log = _open_log(launch.log)
        self._log_start = self._log.seek(0, os.SEEK_END)
        try:
            self._process = _start(launch, self._log)
        except BaseException:
            self._log.close()
            raise
        self._tree = ProcessTree(self._process)
        self._incoming: queue.Queue[bytes] = queue.Queue(_UNREAD_LINES)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._finished = threading.Event()  # nothing more comes in
        self._too_long = False
        self._killed = threading.Event()
        self._killing = threading.Lock()
        self._threads = [
            threading.Thread(target=target, name=f"vggt-{name}", daemon=True)
            for target, name in ((self._read, "worker-reader"), (self._write, "worker-writer"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def id(self) -> int:
        """The system's number for it."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Hand over a line; it is written when the process takes it, and dropped where it is gone."""
        self._outgoing.put(line)

    def close_input(self) -> None:
        """Tell the process that nothing more will be asked."""
        self._outgoing.put(None)

    def wake(self) -> None:
        """Make a `next_line` that waits return."""
        if not self._incoming.full():  # where it is full, nobody waits
            try:
                self._incoming.put_nowait(b"")
            except queue.Full:
                return

    def next_line(self, timeout: float) -> bytes:
        """What the process sends, line by line; b"" where nothing came. Raises ProcessEndedError after the last."""
        try:
            return self._incoming.get(timeout=0 if self._finished.is_set() else timeout)
        except queue.Empty:
            self._silent_looks = self._silent_looks + 1 if self._tree.ended() else 0
            if self._silent_looks > _LOOKS:
                self._finished.set()  # something that it has started holds the pipe open
            if self._finished.is_set() and self._incoming.empty():
                raise ProcessEndedError(self._too_long) from None
            return b""

    def wait(self, seconds: float) -> bool:
        """Whether the process closes its pipe within that time."""
        return self._finished.wait(seconds)

    def kill(self) -> int | None:
        """End the process and its children, and return how it ended, as subprocess has it; None: it had to be killed.

        A process that has closed its pipe gets a moment to end by itself.
        """
        with self._killing:
            if not self._killed.is_set():
                by_itself = self._finished.is_set() and not self._too_long and self._await_end()
                self._tree.kill()
                self._killed.set()
                self._clean()
                self._code = self._process.returncode if by_itself else None
        return self._code

    def _await_end(self) -> bool:
        end = time.monotonic() + _GOODBYE_SECONDS
        while time.monotonic() < end:
            if self._tree.ended():
                return True
            time.sleep(0.01)
        # Where the system does not tell, all that is known is that it closed its pipe, which ends most processes.
        return sys.platform == "darwin" and not hasattr(os, "waitid")

    def last_lines(self) -> str:
        """The end of what the process has printed on stderr or logged; known once it was killed."""
        return self._tail

    def _clean(self) -> None:
        self._outgoing.put(None)
        try:
            self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("the system does not let process %d go", self._process.pid)
        self._tree.await_gone(_CHILDREN_SECONDS)
        for thread in self._threads:
            thread.join(1.0)
        assert self._process.stdout is not None
        if not self._threads[0].is_alive():  # else something outside the tree holds the pipe open; closing would block
            self._process.stdout.close()
        self._tail = self._read_tail()
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        try:
            for line in read_lines(lambda size: os.read(pipe, size), LONGEST_LINE):
                if not self._keep(line):
                    return
        except LineTooLongError:
            self._too_long = True
        except OSError as error:
            logger.warning("the worker's pipe cannot be read: %r", error)
        finally:
            self._finished.set()
            self.wake()

    def _keep(self, line: bytes) -> bool:
        while not self._killed.is_set():
            try:
                self._incoming.put(line, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        if sys.platform != "win32":  # where nobody reads any more an error is enough; no signal for Blender
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        try:
            while (line := self._outgoing.get()) is not None:
                view = memoryview(line)
                while view:
                    view = view[pipe.write(view) or 0 :]
        except OSError as error:  # that it is gone is noticed where its lines are read
            logger.debug("the worker takes nothing more: %r", error)
        finally:
            pipe.close()  # it is unbuffered: nothing is left that could fail

    def _read_tail(self) -> str:
        try:
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(self._log_start, size - _TAIL))
            return self._log.read(_TAIL).decode("utf-8", "replace")
        except OSError as error:
            return f"no log: {error!r}"


def _open_log(path: Path | None) -> IO[bytes]:
    """Where stderr goes. Raises OSError where it cannot be written."""
    if path is None:
        return tempfile.TemporaryFile()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        try:
            os.replace(path, path.with_name(f"{path.name}.old"))
        except OSError as error:  # on Windows, while another worker writes there: then it grows on
            logger.info("the log goes on: %r", error)
    return path.open("a+b")


def _start(launch: Launch, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        launch.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
        env=dict(launch.environment),
        cwd=tempfile.gettempdir(),  # not the artist's folder, which could then not be removed or unmounted
        start_new_session=True,  # not on Windows, which ignores it
        creationflags=FLAGS,
    )
