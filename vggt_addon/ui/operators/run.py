"""Starting a reconstruction, stopping it, and putting its message away.

This module imports bpy beyond the standard library.
"""

import bpy

from ...errors import UserError
from .. import asking, controller, errands, ids
from ..redrawing import redraw


class VGGT_OT_reconstruct(bpy.types.Operator):
    """Find the photos' cameras and build the scene; goes on in the background, and you can keep working"""

    bl_idname = ids.RECONSTRUCT
    bl_label = "Reconstruct Scene"
    bl_options = {"REGISTER"}  # noqa: RUF012 - the scene that comes later is an undo step of its own

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is something to reconstruct, and nothing under way."""
        if controller.busy():
            cls.poll_message_set("A reconstruction is under way: wait for it, or cancel it")
            return False
        if errands.changes_runtime():
            cls.poll_message_set("The runtime is being changed: wait for that, or cancel it in the preferences")
            return False
        if context.scene is None or not asking.chosen_photos(context.scene.vggt):
            cls.poll_message_set("Add photos first, and tick those to be used")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand the job to the worker."""
        try:
            controller.start_run(context.scene)
        except UserError as error:
            self.report({"ERROR"}, error.sentence)
            return {"CANCELLED"}
        return {"FINISHED"}


class VGGT_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction; the scene stays as it is"""

    bl_idname = ids.CANCEL
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is one."""
        return controller.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to stop."""
        controller.cancel_run()
        return {"FINISHED"}


class VGGT_OT_dismiss_message(bpy.types.Operator):
    """Put this message away"""

    bl_idname = ids.DISMISS
    bl_label = "Dismiss"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget it."""
        controller.session().message = None
        redraw()
        return {"FINISHED"}


CLASSES = (VGGT_OT_reconstruct, VGGT_OT_cancel, VGGT_OT_dismiss_message)
