"""The settings that matter on one screen, the rest folded away.

This module imports bpy and the room only.
"""

import bpy

from .sidebar import WithPhotos


class VGGT_PT_settings(WithPhotos, bpy.types.Panel):
    """How the photos are reconstructed."""

    bl_label = "Settings"

    def draw(self, context: bpy.types.Context) -> None:
        """What most captures need."""
        layout, properties = self.layout, context.scene.vggt
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(properties, "point_budget")
        layout.prop(properties, "depth_size")
        layout.prop(properties, "frames_per_clip")
        layout.prop(properties, "sequence")


class VGGT_PT_network(WithPhotos, bpy.types.Panel):
    """What concerns the neural network alone."""

    bl_label = "Neural Network"
    bl_parent_id = "VGGT_PT_settings"

    def draw(self, context: bpy.types.Context) -> None:
        """The settings of the learned engines; grey where another engine is chosen."""
        layout, properties = self.layout, context.scene.vggt
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.active = properties.engine != "sfm"
        layout.prop(properties, "focal")
        if properties.focal == "known":
            layout.prop(properties, "focal_millimetres")
        for name in ("device", "precision", "framing", "input_size", "points_from", "memory_limit"):
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
