"""The text that an engineer asks for, made in a thread and put into the clipboard.

This module imports bpy beyond the standard library; the room runtime only when it is asked for.
"""

import threading

import bpy

from . import controller, errands, places
from .session import Message

_thread: threading.Thread | None = None
_text = ""


def busy() -> bool:
    """Whether it is being made."""
    return _thread is not None


def start() -> None:
    """Begin to make it."""
    global _thread
    arguments = {
        "folder": places.user_folder("runtime", create=False),
        "online": bpy.app.online_access,
        "log": places.log_file(create=False),
        "more": {"Blender": f"{bpy.app.version_string} {bpy.app.build_platform.decode()}", "as": places.ADDON},
    }
    _thread = threading.Thread(target=_make, kwargs=arguments, name="vggt-diagnosis", daemon=True)
    _thread.start()
    controller.poll()


def step() -> bool:
    """Copy it once it is made; True while it is not. For the controller's timer."""
    global _thread
    if _thread is None:
        return False
    if _thread.is_alive():
        return True
    _thread = None
    bpy.context.window_manager.clipboard = _text
    copied = "The diagnosis is in the clipboard: paste it where you ask for help."
    told = errands.message  # an error that is on the page stays: it is what the diagnosis is of
    if told is not None and told.kind == "ERROR":
        errands.message = Message("ERROR", f"{told.sentence.removesuffix(copied).rstrip()} {copied}", told.detail)
    else:
        errands.message = Message("INFO", copied)
    return False


def last() -> str:
    """The text that was made last."""
    return _text


def stop() -> None:
    """Nobody waits for it any more."""
    global _thread
    _thread = None


def _make(**arguments: object) -> None:
    global _text
    from ..runtime.diagnosis import diagnose

    try:
        _text = diagnose(**arguments)
    except Exception as error:  # what is wrong with the machine is what is asked
        _text = f"The diagnosis cannot be made: {error!r}"
