"""What holds for all of a user's scenes.

This module imports bpy beyond the standard library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from . import ids, places


@dataclass(frozen=True)
class Preferences:
    """The preferences, whether the add-on is enabled or run from source."""

    python: str = ""
    idle_minutes: float = 10.0
    beside_blend: bool = True
    weights_folder: str = ""


def _worker_changed(self: "VGGT_Preferences", context: bpy.types.Context) -> None:
    from . import controller  # which imports this module

    controller.worker_changed()


class VGGT_Preferences(bpy.types.AddonPreferences):
    """Shown under Preferences > Add-ons."""

    bl_idname = places.ADDON

    python: StringProperty(
        name="Python of the Engines",
        subtype="FILE_PATH",
        update=_worker_changed,
        description="A Python that has the engines' libraries; empty: the one that came with the extension",
    )
    idle_minutes: FloatProperty(
        name="Keep Warm",
        default=Preferences.idle_minutes,
        min=0.1,
        max=600.0,
        update=_worker_changed,
        description="Minutes that the worker keeps its network in memory after a run, ready for the next",
    )
    beside_blend: BoolProperty(
        name="Keep Captures Beside the .blend",
        default=Preferences.beside_blend,
        description="Otherwise they stay in this user's own folder",
    )
    weights_folder: StringProperty(
        name="Weights",
        subtype="DIR_PATH",
        update=_worker_changed,
        description="Where the networks' weights are kept; empty: this user's folder",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The page below the add-on's entry."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "beside_blend")
        column.prop(self, "idle_minutes")
        column.prop(self, "weights_folder")
        column.prop(self, "python")
        if any(path and not _absolute(path) for path in (self.python, self.weights_folder)):
            column.label(text="Relative paths are not used: choose it again without Relative Path.", icon="ERROR")
        column.operator(ids.OPEN_LOG, icon="TEXT")


def preferences() -> Preferences:
    """What the user chose."""
    entry = bpy.context.preferences.addons.get(places.ADDON)
    chosen: Any = entry.preferences if entry is not None else None
    if chosen is None:
        return Preferences()
    return Preferences(
        python=_absolute(chosen.python),
        idle_minutes=chosen.idle_minutes,
        beside_blend=chosen.beside_blend,
        weights_folder=_absolute(chosen.weights_folder),
    )


def _absolute(path: str) -> str:
    """`path`, or "" where the .blend or the current folder would say what it means, and so which program is run."""
    return path if Path(path).is_absolute() and not path.startswith("//") else ""


CLASSES = (VGGT_Preferences,)
