"""Which environments of the private runtime a process runs by, be it another Blender's.

    ENVIRONMENT/users/1, 2, ...     each locked by one process while it runs, and by nobody once it has ended, however

This module imports nothing beyond the standard library.
"""

import logging
from contextlib import ExitStack
from pathlib import Path

from ..errors import Cancelled
from ..progress import no_progress
from ..weights.file_lock import file_lock

logger = logging.getLogger(__name__)

FOLDER = "users"  # made with the environment: in others nothing is written
_MOST = 100  # processes that are told apart


def hold(environment: Path) -> ExitStack:
    """Let it be known that this process runs by `environment`, until what is returned is closed or the process ends."""
    held = ExitStack()
    folder = environment / FOLDER
    if not folder.is_dir():
        return held
    for number in range(1, _MOST + 1):
        try:
            held.enter_context(file_lock(folder / str(number), no_progress, _at_once))
            break
        except Cancelled:
            continue
        except OSError as error:  # what cannot be written is not swept, either
            logger.warning("%s cannot be held: %r", folder, error)
            break
    return held


def in_use(environment: Path) -> bool:
    """Whether a process runs by it; False where the file system has no locks."""
    for path in (environment / FOLDER).glob("[0-9]*"):
        try:
            with file_lock(path, no_progress, _at_once):
                pass
        except Cancelled:
            return True
        except OSError as error:
            logger.info("%s cannot be asked: %r", path, error)
    return False


def _at_once() -> bool:
    """Nobody waits here."""
    return True
