"""The settings that matter on one screen, the rest folded away.

This module imports bpy and the room only.
"""

from typing import Any

import bpy

from ..asking import takes
from .sidebar import WithPhotos


class VGGT_PT_settings(WithPhotos, bpy.types.Panel):
    """How the photos are reconstructed."""

    bl_label = "Settings"

    def draw(self, context: bpy.types.Context) -> None:
        """What most captures need."""
        layout, properties = self.layout, context.scene.vggt
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(properties, "point_budget")
        if takes(properties.engine, "depth_size"):
            layout.prop(properties, "depth_size")
        layout.prop(properties, "frames_per_clip")
        if takes(properties.engine, "sequence"):
            layout.prop(properties, "sequence")


class VGGT_PT_network(WithPhotos, bpy.types.Panel):
    """What concerns the neural network alone."""

    bl_label = "Neural Network"
    bl_parent_id = "VGGT_PT_settings"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Where the engine is, or may become, a learned one."""
        return super().poll(context) and takes(context.scene.vggt.engine, "device")

    def draw(self, context: bpy.types.Context) -> None:
        """Those that the engine takes; which one that is, `auto` decides later."""
        layout, properties = self.layout, context.scene.vggt
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(properties, "focal")
        if properties.focal == "known":
            layout.prop(properties, "focal_millimetres")
        for name in ("device", "precision", "framing", "input_size", "points_from", "clean", "memory_limit"):
            if takes(properties.engine, name):
                layout.prop(properties, name)


class VGGT_PT_advanced(WithPhotos, bpy.types.Panel):
    """What is rarely changed."""

    bl_label = "Advanced"
    bl_parent_id = "VGGT_PT_settings"

    def draw(self, context: bpy.types.Context) -> None:
        """The rest."""
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(context.scene.vggt, "seed")


CLASSES = (VGGT_PT_settings, VGGT_PT_network, VGGT_PT_advanced)
