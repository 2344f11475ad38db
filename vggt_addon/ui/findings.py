"""What is on this machine for the learned engines: the runtime, the weights, and what would be installed.

It is found out in a thread, since a driver may take seconds to answer; the pages that show it draw what is known.
This module imports nothing beyond the room; what looks only when something is asked.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from . import places

if TYPE_CHECKING:
    from .looking import Findings

logger = logging.getLogger(__name__)

_known: Findings | None = None
_thread: threading.Thread | None = None
_outdated = True
_asked = False
_failure = ""


def known() -> Findings | None:
    """What was found last; None where nothing was yet."""
    return _known


def forget() -> None:
    """Something has changed: what is known is shown until it is asked for again and found out."""
    global _outdated
    _outdated = True


def ask() -> bool:
    """Somebody shows it: True where the controller's timer is to find out more."""
    global _asked
    _asked = _asked or (_outdated and _thread is None)
    return _asked


def failure() -> str:
    """A sentence where it cannot be found out."""
    return _failure


def step(weights_folder: str) -> bool:
    """Begin to find out what was asked for; True until it is known. For the controller's timer."""
    global _thread, _outdated, _asked, _failure
    if _thread is not None:
        if not _thread.is_alive():
            _thread = None
        return True
    if not _asked:
        return False
    _asked = _outdated = False
    folder = places.runtime_folder()
    if folder is None:
        _failure = "Nothing can be kept for this user: make Blender's folder for your own files writable."
        return True
    _failure = ""
    arguments = (folder, weights_folder)
    _thread = threading.Thread(target=_look, args=arguments, name="vggt-findings", daemon=True)
    _thread.start()
    return True


def stop() -> None:
    """Know nothing any more."""
    global _known, _thread, _outdated, _asked, _failure
    _known, _thread, _outdated, _asked, _failure = None, None, True, False, ""


def _look(runtime_folder: Path, weights_folder: str) -> None:
    global _known, _failure
    try:
        from .looking import look

        _known = look(runtime_folder, weights_folder)
    except Exception:
        logger.exception("what is on this machine cannot be found out")
        _failure = "What is on this machine cannot be found out: the log has the detail."
