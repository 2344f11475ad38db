"""The process that changes a runtime for Blender, so that Blender never waits.

    python -m vggt_addon.runtime.process install|repair|verify|remove --folder F --python P [--online] ...

It tells its progress and its end as a worker does (`jobs/protocol.py`), hears a cancel on its standard input, and
leaves when nobody listens any more. `task.py` is Blender's side.
This module imports nothing beyond the standard library.
"""

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import Cancelled, FormatError, UserError
from ..jobs import protocol
from ..jobs.lines import LineTooLongError
from ..jobs.worker_channel import Channel, log_to
from ..jobs.worker_reporter import INTERVAL, Reporter
from ..progress import Cancel, Progress
from .install import Request, install
from .locked import load_lock
from .task import ACTIONS, JOB
from .upkeep import remove, verify

logger = logging.getLogger("vggt_addon.runtime.process")  # where this module is __main__, too

POLITE_SECONDS = 1.6  # to stop by itself once nobody listens any more
REMOVE_SECONDS = 120.0  # the same for a removal, which goes to its end once it has begun
OURS = "Something unexpected went wrong in the add-on, and the runtime is as it was: try again, or send the diagnosis."


class _Process:
    """What it is asked, and whether it shall stop."""

    def __init__(self, polite: float) -> None:
        self._polite = polite  # seconds
        self._stopped = threading.Event()
        self.channel = Channel(self.leave)
        self.reporter = Reporter(self.channel.send, JOB)
        for target in (self._listen, self._flush):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()

    def cancel(self) -> bool:
        """See `progress.Cancel`."""
        return self._stopped.is_set()

    def leave(self) -> None:
        """Stop soon, and at the latest after the polite seconds."""
        if not self._stopped.is_set():
            self._stopped.set()
            threading.Thread(target=self._leave_hard, name="leave", daemon=True).start()

    def _leave_hard(self) -> None:
        time.sleep(self._polite)
        os._exit(1)

    def _listen(self) -> None:
        try:
            for line in self.channel.lines():
                if isinstance(protocol.decode_request(line), protocol.Cancel):
                    self._stopped.set()
        except (OSError, LineTooLongError, FormatError) as error:
            logger.error("what is asked cannot be read: %r", error)
        self.leave()

    def _flush(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self.reporter.flush()


def perform(options: argparse.Namespace, progress: Progress, cancel: Cancel) -> None:
    """One of ACTIONS. Raises InstallError, Cancelled."""
    folder: Path = options.folder
    lock = load_lock(options.lock) if options.lock else load_lock()
    if options.action == "remove":
        remove(folder, progress, cancel)
    elif options.action == "verify":
        verify(folder, lock, progress, cancel)
    else:
        repair = options.action == "repair"
        archive: Path | None = options.archive
        request = Request(folder, options.python, options.online, options.backend, archive, repair, lock)
        install(request, progress, cancel)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, do it, and tell the end."""
    parser = argparse.ArgumentParser(prog="python -m vggt_addon.runtime.process")
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--folder", type=Path, required=True, help="of the runtime")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="what it is made from")
    parser.add_argument("--online", action="store_true", help="the network may be used")
    parser.add_argument("--backend", default="auto", help="torch's build")
    parser.add_argument("--archive", type=Path, help="install from there")
    parser.add_argument("--lock", type=Path, help="folder of another list of packages")
    parser.add_argument("--log", type=Path, help="file that the log is added to; without it, stderr")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"), help="what is written")
    options = parser.parse_args(arguments)
    process = _Process(REMOVE_SECONDS if options.action == "remove" else POLITE_SECONDS)
    log_to(options.log, options.log_level)
    logger.info("%s of %s by %d", options.action, options.folder, os.getpid())
    end: protocol.Event
    try:
        perform(options, process.reporter, process.cancel)
        end = protocol.Done(JOB, "")
    except Cancelled:
        end = protocol.Cancelled(JOB)
    except UserError as error:
        logger.warning("%s %s", error.sentence, error.detail)
        end = protocol.Failed(JOB, error.sentence, error.detail)
    except Exception as error:
        logger.exception("fault")
        end = protocol.Failed(JOB, OURS, repr(error))
    process.channel.send(end)


if __name__ == "__main__":
    main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)  # a download that waits for the network is not waited for
