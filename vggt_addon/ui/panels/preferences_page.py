"""The page below the add-on's entry in Blender's preferences.

This module imports bpy beyond the standard library.
"""

import bpy
from bpy.app.translations import pgettext_iface as text
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from .. import controller, findings, ids, log, places
from ..preferences import Preferences, absolute
from .learned_engines import draw_learned_engines
from .text import draw_text


def _worker_changed(self: "VGGT_Preferences", context: bpy.types.Context) -> None:
    findings.forget()
    controller.worker_changed()


def _settings_changed(self: "VGGT_Preferences", context: bpy.types.Context) -> None:
    controller.settings_changed()


def _log_changed(self: "VGGT_Preferences", context: bpy.types.Context) -> None:
    log.set_level(self.log_level)
    _worker_changed(self, context)


UNINSTALLING = (
    "Uninstalling the extension takes its own folder along: the runtime, and captures that no saved .blend has taken "
    "over. Save those scenes first; weights stay."
)


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
        name="Keep Warm (Minutes)",
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

    token_file: StringProperty(
        name="Token File",
        subtype="FILE_PATH",
        description="A text file with your access token of the hub, for weights whose publishers ask for consent; "
        "empty: as the hub's own tools keep it",
    )
    memory_limit: FloatProperty(
        name="Memory Limit (GB)",
        default=Preferences.memory_limit,
        min=0.0,
        soft_max=64.0,
        max=1024.0,
        precision=1,
        update=_settings_changed,
        description="GB that the networks may take on the graphics card (or of the main memory) unless a scene says "
        "otherwise; 0: what is free",
    )
    texture_size: EnumProperty(
        name="Largest Picture",
        items=(
            ("0", "As the Photos", "Pictures as large as the photos"),
            ("8192", "8192 px", "Larger photos get a smaller copy in the capture"),
            ("4096", "4096 px", "Larger photos get a smaller copy in the capture"),
            ("2048", "2048 px", "Larger photos get a smaller copy in the capture"),
        ),
        description="Long side of the pictures on reliefs and behind cameras: smaller ones save memory",
    )
    log_level: EnumProperty(
        name="Log",
        items=(
            ("INFO", "Usual", "What was done"),
            ("DEBUG", "Everything", "Also what only an engineer asks for"),
            ("WARNING", "Problems", "Only what went wrong"),
        ),
        update=_log_changed,
        description="How much is written to the log",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The page below the add-on's entry."""
        draw_learned_engines(self.layout, context)
        column = self.layout.column()
        column.use_property_split = True
        for name in ("beside_blend", "texture_size", "idle_minutes", "memory_limit", "weights_folder", "token_file"):
            column.prop(self, name)
        column.prop(self, "python")
        if any(path and not absolute(path) for path in (self.python, self.weights_folder, self.token_file)):
            column.label(text="Relative paths are not used: choose it again without Relative Path.", icon="ERROR")
        column.prop(self, "log_level")
        column.operator(ids.OPEN_LOG, icon="TEXT")
        draw_text(self.layout, context, text(UNINSTALLING), "INFO")


CLASSES = (VGGT_Preferences,)
