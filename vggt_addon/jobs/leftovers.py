"""What a run makes in its job's folder, and how that goes away where the run does not end well.

This module imports nothing beyond the standard library.
"""

import logging
import shutil
from pathlib import Path

from .protocol import RESULT, WORKSPACE

logger = logging.getLogger(__name__)


def find_leftovers(folder: Path) -> list[Path]:
    """What a run has made in its folder: the engine's pictures, the capture, and captures that are half written."""
    named = [path for path in (folder / WORKSPACE, folder / RESULT) if path.exists() or path.is_symlink()]
    return named + list(folder.glob(f".{RESULT}-*"))  # see reconstruction_files


def remove_leftovers(folder: Path) -> None:
    """Remove what `find_leftovers` finds, and follow no link. What the system keeps is logged and stays."""
    try:
        for path in find_leftovers(folder):
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the folder's name
        logger.warning("what a run has left in %s cannot be removed: %r", folder, error)
