"""The entries below File > Import, and Add > Photo Capture, which lets F3 find everything: it searches menus.

This module imports bpy only.
"""

import bpy

from . import ids


class VGGT_MT_capture(bpy.types.Menu):
    """All that can be done with photos and captures."""

    bl_idname = ids.MENU
    bl_label = "Photo Capture (VGGT)"

    def draw(self, context: bpy.types.Context) -> None:
        """What the panels' buttons do, in the order in which it is needed."""
        layout = self.layout
        for name in (ids.ADD_PHOTOS, ids.ADD_FOLDER):
            layout.operator(name)
        layout.operator(ids.USE_PHOTOS, text="Use All Photos").use = True
        layout.operator(ids.USE_PHOTOS, text="Use No Photos").use = False
        for name in (ids.SET_REFERENCE, ids.REMOVE_PHOTO, ids.CLEAR_PHOTOS):
            layout.operator(name)
        layout.operator(ids.MOVE_PHOTO, text="Move Photo Up").direction = "UP"
        layout.operator(ids.MOVE_PHOTO, text="Move Photo Down").direction = "DOWN"
        layout.separator()
        for name in (ids.RECONSTRUCT, ids.CANCEL, ids.DISMISS, ids.COPY_REPORT, ids.OPEN_LOG):
            layout.operator(name)
        layout.separator()
        for name in (
            ids.OPEN_CAPTURE,
            ids.ADD_TO_CAPTURE,
            ids.REBUILD_CAPTURE,
            ids.REMOVE_CAPTURE,
            ids.LOOK_THROUGH,
            ids.SHOW_COLORS,
        ):
            layout.operator(name)
        layout.operator_menu_enum(ids.SHOW_PART, "part")


def _draw_import(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(ids.ADD_PHOTOS, text="Photos for a Scene (VGGT)")
    self.layout.operator(ids.OPEN_CAPTURE, text="Capture (VGGT)")


def _draw_add(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.menu(ids.MENU, icon="CAMERA_DATA")


def register() -> None:
    """Add the entries."""
    bpy.utils.register_class(VGGT_MT_capture)
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)
    bpy.types.VIEW3D_MT_add.append(_draw_add)


def unregister() -> None:
    """Take them away."""
    bpy.types.VIEW3D_MT_add.remove(_draw_add)
    bpy.types.TOPBAR_MT_file_import.remove(_draw_import)
    bpy.utils.unregister_class(VGGT_MT_capture)
