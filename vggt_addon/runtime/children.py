"""Programs that the installation runs: watched, and gone at once where the artist cancels.

They stay in our process group, so that whoever ends us ends them.
This module imports nothing beyond the standard library.
"""

import logging
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import Cancelled, InstallError
from ..jobs.process_tree import FLAGS
from ..progress import Cancel
from .failures import explained_output

logger = logging.getLogger(__name__)

_LOOK = 0.05  # seconds between two looks at `cancel`
_TAIL = 6000  # characters of what a program said that are kept


class NotStartedError(Exception):
    """The program is not there, or the system does not let it run (a virus scanner, another processor)."""


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path, cancel: Cancel) -> str:
    """What `command` prints, run in `folder`. Raises NotStartedError, Cancelled, and InstallError where it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                creationflags=FLAGS,
            )
        except OSError as error:
            raise NotStartedError(f"{command[0]}: {error!r}") from error
        try:
            while process.poll() is None:
                if cancel():
                    raise Cancelled
                time.sleep(_LOOK)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        told, complaints = (file.read().decode("utf-8", "replace") for file in (out, err))
    if complaints:
        logger.info("%s said: %s", Path(command[0]).name, complaints[-_TAIL:])
    if process.returncode != 0:
        detail = f"{' '.join(command)[:1000]} ended with {process.returncode}: {complaints[-_TAIL:]} {told[-_TAIL:]}"
        raise InstallError(explained_output(complaints + told, folder), detail)
    return told
