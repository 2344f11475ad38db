"""Blender's own events that concern us: undo, loading, saving. And the controller's beginning and end.

This module imports bpy only.
"""

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import controller, keeping


@persistent
def _before_undo(*_: Any) -> None:
    controller.before_undo()


@persistent
def _after_undo(*_: Any) -> None:
    controller.after_undo()


@persistent
def _before_load(*_: Any) -> None:
    controller.before_load()


@persistent
def _after_load(*_: Any) -> None:
    controller.after_load()


@persistent
def _before_save(path: str, *_: Any) -> None:
    keeping.before_save(path)


@persistent
def _after_save(path: str, *_: Any) -> None:
    keeping.after_save(path)


HANDLERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("undo_pre", _before_undo),
    ("redo_pre", _before_undo),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_pre", _before_load),
    ("load_post", _after_load),
    ("save_pre", _before_save),
    ("save_post", _after_save),
)


def register() -> None:
    """Listen."""
    controller.start()
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Listen no more, and end what runs."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    controller.stop()
