"""What the extension adds to Blender, in order, and takes away again, in the opposite order.

This module imports nothing beyond the standard library, bpy and the room ui.
"""

from types import ModuleType

import bpy

from .ui import handlers, menus, properties
from .ui.operators import captures, engine_log, learned_engines, photo_list, photos, run
from .ui.panels import capture, engine, preferences_page, settings, solve
from .ui.panels import photos as photos_panel

# A module has CLASSES, or register() and unregister(), or both.
MODULES: tuple[ModuleType, ...] = (
    preferences_page,
    properties,
    photos,
    photo_list,
    run,
    captures,
    engine_log,
    learned_engines,
    photos_panel,
    engine,
    settings,
    solve,
    capture,
    menus,
    handlers,
)


def register() -> None:
    """Add everything, or, where something fails, nothing."""
    done: list[ModuleType] = []
    try:
        for module in MODULES:
            _register(module)
            done.append(module)
    except BaseException:
        for module in reversed(done):
            _unregister(module)
        raise


def unregister() -> None:
    """Take everything away; a worker that runs is ended first."""
    for module in reversed(MODULES):
        _unregister(module)


def _register(module: ModuleType) -> None:
    if hasattr(module, "register"):
        module.register()
        return
    done: list[type] = []
    try:
        for kind in module.CLASSES:
            bpy.utils.register_class(kind)
            done.append(kind)
    except BaseException:
        for kind in reversed(done):
            bpy.utils.unregister_class(kind)
        raise


def _unregister(module: ModuleType) -> None:
    if hasattr(module, "unregister"):
        module.unregister()
        return
    for kind in reversed(module.CLASSES):
        bpy.utils.unregister_class(kind)
