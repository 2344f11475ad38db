"""Changing the list of photos.

This module imports bpy beyond the standard library.
"""

import bpy
from bpy.props import BoolProperty, EnumProperty

from .. import controller, ids


class _OnPhotos:
    """What these operators share: they need a photo to act on."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - how Blender declares it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is one."""
        return context.scene is not None and bool(context.scene.vggt.photos)


class VGGT_OT_remove_photo(_OnPhotos, bpy.types.Operator):
    """Take the photo off the list; the file stays as it is"""

    bl_idname = ids.REMOVE_PHOTO
    bl_label = "Remove Photo"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the active one."""
        properties = context.scene.vggt
        if not 0 <= properties.active_photo < len(properties.photos):
            return {"CANCELLED"}
        if properties.photos[properties.active_photo].path == properties.reference:
            properties.reference = ""
        properties.photos.remove(properties.active_photo)
        properties.active_photo = max(0, min(properties.active_photo, len(properties.photos) - 1))
        controller.photos_changed()
        return {"FINISHED"}


class VGGT_OT_clear_photos(_OnPhotos, bpy.types.Operator):
    """Take all photos off the list; the files stay as they are"""

    bl_idname = ids.CLEAR_PHOTOS
    bl_label = "Remove All Photos"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Empty the list."""
        properties = context.scene.vggt
        properties.photos.clear()
        properties.active_photo, properties.reference = 0, ""
        controller.photos_changed()
        return {"FINISHED"}


class VGGT_OT_move_photo(_OnPhotos, bpy.types.Operator):
    """Move the photo on the list; the first one is the reference, unless another was chosen"""

    bl_idname = ids.MOVE_PHOTO
    bl_label = "Move Photo"

    direction: EnumProperty(
        name="Direction",
        items=(("UP", "Up", "To the front"), ("DOWN", "Down", "To the back")),
        description="Towards the front of the list, or its end",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change places with its neighbour."""
        properties = context.scene.vggt
        old = properties.active_photo
        new = old + (-1 if self.direction == "UP" else 1)
        if not (0 <= old < len(properties.photos) and 0 <= new < len(properties.photos)):
            return {"CANCELLED"}
        properties.photos.move(old, new)
        properties.active_photo = new
        controller.photos_changed()
        return {"FINISHED"}


class VGGT_OT_use_photos(_OnPhotos, bpy.types.Operator):
    """Use all photos of the list, or none"""

    bl_idname = ids.USE_PHOTOS
    bl_label = "Use Photos"

    use: BoolProperty(name="Use", default=True, description="Use all, or none")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tick all boxes, or clear them."""
        for photo in context.scene.vggt.photos:
            photo.use = self.use
        return {"FINISHED"}


class VGGT_OT_set_reference(_OnPhotos, bpy.types.Operator):
    """Make this photo the reference: the scene opens on it and looks along its direction"""

    bl_idname = ids.SET_REFERENCE
    bl_label = "Make Reference"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose the active one; choosing it again goes back to the first."""
        properties = context.scene.vggt
        if not 0 <= properties.active_photo < len(properties.photos):
            return {"CANCELLED"}
        path = properties.photos[properties.active_photo].path
        properties.reference = "" if properties.reference == path else path
        return {"FINISHED"}


CLASSES = (
    VGGT_OT_remove_photo,
    VGGT_OT_clear_photos,
    VGGT_OT_move_photo,
    VGGT_OT_use_photos,
    VGGT_OT_set_reference,
)
