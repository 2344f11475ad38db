"""Runs one attempt of the ladder in the camera solver's own process.

Whatever happens to that process (COLMAP aborts, the system kills it for memory, it prints rubbish) costs a sentence,
never the caller. This module imports nothing beyond the standard library and numpy.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

from ...errors import EngineError
from ...progress import Cancel, Progress, check
from .colmap_log import LOG_NAME
from .ladder import Attempt
from .solution import Solution, read_solution
from .working_copies import LensFolder, mask_folder

logger = logging.getLogger(__name__)


MODULE = "vggt_addon.engines.sfm.colmap_process"
_PACKAGE_PARENT = Path(__file__).parents[3]
_LONGEST_LINE = 4096  # characters of one progress message; more is rubbish


class SolverError(EngineError):
    """The solver's process ended without an answer. `killed`: from outside; a heavier attempt would not help."""

    def __init__(self, sentence: str, detail: str, *, killed: bool = False) -> None:
        super().__init__(sentence, detail)
        self.killed = killed


def run_attempt(
    attempt: Attempt,
    lenses: Sequence[LensFolder],
    copies: Path,
    folder: Path,
    *,
    seed: int,
    threads: int,
    sequence: bool,
    progress: Progress,
    cancel: Cancel,
) -> Solution:
    """Solve the cameras of the working copies below `copies`; `folder` is this attempt's own and is made here.

    Raises SolverError where the process ends without a solution, Cancelled (after killing it) on request.
    """
    folder.mkdir(parents=True)
    database = folder.parent / f"{attempt.features_key}.db"
    job = {
        "attempt": asdict(attempt),
        "database": str(database),
        "images": str(copies),
        "masks": str(mask_folder(copies)) if mask_folder(copies).exists() else None,
        "lenses": [
            {"folder": lens.folder, "names": [copy.name for copy in lens.copies], "prior": lens.prior}
            for lens in lenses
        ],
        "seed": seed,
        "threads": threads or os.cpu_count() or 1,
        "sequence": sequence,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    log = folder / LOG_NAME
    try:
        returncode = _run(folder / "job.json", log, progress, cancel)
        if returncode == 0:
            return read_solution(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SolverError(_SENTENCE_STOPPED, f"{error!r}\n{_tail(log)}") from error
    database.unlink(missing_ok=True)  # it may be half-filled, and a later attempt would trust it
    killed = returncode in (-9, 137)
    sentence = _SENTENCE_KILLED if killed else _SENTENCE_STOPPED
    raise SolverError(sentence, f"{MODULE} ended with {returncode}\n{_tail(log)}", killed=killed)


_SENTENCE_STOPPED = (
    "The camera solver stopped unexpectedly; try again, and if it happens again leave out the photo added last."
)
_SENTENCE_KILLED = (
    "The camera solver was stopped by the system, most often for lack of memory: close other programs or use fewer "
    "photos, then try again."
)


def _run(job: Path, log: Path, progress: Progress, cancel: Cancel) -> int:
    """Start the process, pass its progress on, and return how it ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_PACKAGE_PARENT), *filter(None, sys.path)])}
    with log.open("wb") as log_file:
        # A session of its own (on Windows: no console), so that Ctrl-C in a terminal reaches us alone and we decide
        # what to stop; unless we have one to ourselves: then it stays in our group, and whoever kills that ends it too.
        # On Windows no console window opens over Blender.
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            env=environment,
            start_new_session=not _stands_apart(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    try:
        assert process.stdout is not None
        lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
        while True:
            check(cancel)
            try:
                line = lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                return _wait(process, cancel)
            _pass_on(line, progress)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _stands_apart() -> bool:
    """Whether this process leads its own session and group, as a worker does (`jobs/process.py`)."""
    return sys.platform != "win32" and os.getsid(0) == os.getpgrp() == os.getpid()


def _wait(process: "subprocess.Popen[bytes]", cancel: Cancel) -> int:
    """The exit code of a process that has closed its end of the pipe, which does not mean that it ends."""
    while True:
        check(cancel)
        try:
            return process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue


def _read_lines(stdout: IO[bytes], lines: "queue.Queue[bytes | None]") -> None:
    try:
        for line in iter(lambda: stdout.readline(_LONGEST_LINE), b""):
            lines.put(line)
    except ValueError:
        logger.debug("the camera solver's pipe was closed while it was read")  # after a cancel
    finally:
        lines.put(None)


def _pass_on(line: bytes, progress: Progress) -> None:
    try:
        message = json.loads(line)
        stage, fraction = str(message["stage"]), float(message["fraction"])
    except (ValueError, KeyError, TypeError):
        logger.warning("the camera solver printed %r", line[:200])
        return
    progress(stage, fraction)


def _tail(log: Path, size: int = 4000) -> str:
    try:
        return log.read_bytes()[-size:].decode("utf-8", "replace")
    except OSError as error:
        return f"no log: {error!r}"
