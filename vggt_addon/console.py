"""What the command line shows: a bar or JSON events, sentences, and a log for engineers.

Libraries (Blender above all) print to stdout as they like; here stdout is kept for ourselves and theirs goes to the
log. This module imports nothing beyond the standard library and tqdm.
"""

import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tqdm import tqdm

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and a polite kill


def printable(sentence: str) -> str:
    """`sentence` as one line that only shows text: control characters in a file's name could command a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode("ascii")
        for letter in sentence
    )


class Console:
    """A context manager around one command.

    `progress` and `cancel` are handed to every long call; Ctrl-C (or a polite kill) makes `cancel` answer True, so
    that what runs can leave everything whole. A second Ctrl-C stops at once.
    """

    def __init__(self, *, as_json: bool, verbose: bool, log: Path | None) -> None:
        self._as_json = as_json
        self._verbose = verbose
        self._kept_log = log
        self._stopped = threading.Event()
        self._bar: tqdm[Any] | None = None
        self._stage, self._told = "", -1.0
        self._tells_log = False

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="vggt_addon-log-"))
        self._log = self._folder / "log.txt"
        sys.stdout.flush()
        # File names may hold what is no Unicode; as an escape it is valid JSON too.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
        with self._log.open("ab") as file:
            os.dup2(file.fileno(), 1)
        handlers: list[logging.Handler] = [logging.FileHandler(self._log, encoding="utf-8", errors="backslashreplace")]
        if self._verbose:
            handlers.append(logging.StreamHandler())
        logging.basicConfig(
            level=logging.INFO, handlers=handlers, format="%(asctime)s %(name)s %(levelname)s %(message)s", force=True
        )
        self._log_raised = logging.raiseExceptions
        logging.raiseExceptions = False  # a log that a full disk cuts short is no second failure to tell of
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}
        self.catch_signals()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bar()
        logging.shutdown()
        logging.getLogger().handlers.clear()
        logging.raiseExceptions = self._log_raised
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: set by no Python code
        kept = self._leave_log()
        sys.stdout.flush()
        os.dup2(self._out.fileno(), 1)
        self._out.close()
        if kept:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _leave_log(self) -> bool:
        """Put the log where it was asked for; False where it had to stay in its temporary place."""
        if self._kept_log is None:
            return True
        try:
            self._kept_log.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._log, self._kept_log)
        except OSError as error:
            reason = error.strerror or error
            self._print(
                "warning", f"The log could not be written to {self._kept_log} ({reason}): it is in {self._log}."
            )
            return False
        if self._tells_log:
            self._print("note", f"The log is in {self._kept_log}.")
        return True

    def catch_signals(self) -> None:
        """Take Ctrl-C over; to be called again after importing bpy, which takes it for itself."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopped.is_set():
            raise KeyboardInterrupt
        self._stopped.set()

    def keep_log(self, path: Path) -> None:
        """Leave the log at `path` when the command ends, unless another place was asked for, and say where it is."""
        self._kept_log = self._kept_log or path
        self._tells_log = True

    def cancel(self) -> bool:
        """See `progress.Cancel`."""
        return self._stopped.is_set()

    def progress(self, stage: str, fraction: float) -> None:
        """See `progress.Progress`: a bar with stage and time left, or an event for every stage and per cent."""
        if self._as_json:
            if stage != self._stage or fraction - self._told >= 0.01 or (fraction >= 1.0 > self._told):
                self._stage, self._told = stage, fraction
                self._event(event="progress", stage=stage, fraction=round(fraction, 4))
            return
        if self._bar is None:
            form = "{desc:<24}{percentage:3.0f}%|{bar}| {elapsed} passed, {remaining} left"
            self._bar = tqdm(total=1.0, bar_format=form, file=sys.stderr, leave=False, disable=None)
        self._bar.set_description_str(stage, refresh=False)
        self._bar.update(max(0.0, fraction - self._bar.n))

    def say(self, sentence: str) -> None:
        """A line for whoever reads along."""
        logging.info(sentence)
        self._print("note", sentence)

    def warn(self, sentence: str) -> None:
        """A line that should not be overlooked."""
        logging.warning(sentence)
        self._print("warning", sentence)

    def result(self, sentence: str, **values: Any) -> None:
        """What came out, as the last word of the command."""
        logging.info("%s %s", sentence, values)
        self._close_bar()
        if self._as_json:
            self._event(event="result", message=sentence, **values)
        else:
            self._write(printable(sentence))

    def error(self, sentence: str, detail: str) -> None:
        """Why the command failed: the sentence for the artist; the detail goes to the log."""
        logging.error("%s\n%s", sentence, detail)
        self._print("error", sentence)

    def _print(self, kind: str, sentence: str) -> None:
        if self._as_json:
            self._event(event=kind, message=sentence)
        else:
            line = printable(sentence if kind == "note" else f"{kind.capitalize()}: {sentence}")
            with tqdm.external_write_mode(file=sys.stderr):  # the bar steps aside
                if kind == "note":
                    self._write(line)
                else:
                    print(line, file=sys.stderr)

    def _event(self, **event: Any) -> None:
        self._write(json.dumps(event, ensure_ascii=False))

    def _write(self, line: str) -> None:
        """A line on stdout. If nobody reads there any more (a closed pipe), that counts as Ctrl-C."""
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except BrokenPipeError:
            self._stopped.set()
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self._out.fileno())

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
