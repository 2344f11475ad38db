"""What holds for all of a user's scenes.

This module imports bpy beyond the standard library.
"""

from dataclasses import dataclass
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


class VGGT_Preferences(bpy.types.AddonPreferences):
    """Shown under Preferences > Add-ons."""

    bl_idname = places.ADDON

    python: StringProperty(
        name="Python of the Engines",
        subtype="FILE_PATH",
        description="A Python that has the engines' libraries; empty: the one that came with the extension",
    )
    idle_minutes: FloatProperty(
        name="Keep Warm",
        default=Preferences.idle_minutes,
        min=0.1,
        max=600.0,
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
        column.operator(ids.OPEN_LOG, icon="TEXT")


def preferences() -> Preferences:
    """What the user chose."""
    entry = bpy.context.preferences.addons.get(places.ADDON)
    chosen: Any = entry.preferences if entry is not None else None
    if chosen is None:
        return Preferences()
    return Preferences(
        python=bpy.path.abspath(chosen.python) if chosen.python else "",
        idle_minutes=chosen.idle_minutes,
        beside_blend=chosen.beside_blend,
        weights_folder=bpy.path.abspath(chosen.weights_folder) if chosen.weights_folder else "",
    )


CLASSES = (VGGT_Preferences,)
