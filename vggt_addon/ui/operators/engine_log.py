"""The log, for whoever wants to know more or asks for help.

This module imports bpy beyond the standard library.
"""

import bpy
from bpy.app.translations import pgettext_rpt as tell

from .. import controller, ids, places


class VGGT_OT_open_log(bpy.types.Operator):
    """Open the log of the last runs in the text editor of your system"""

    bl_idname = ids.OPEN_LOG
    bl_label = "Open Log"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open it where there is one."""
        log = places.log_file()
        if not log.is_file():
            self.report({"INFO"}, tell("There is no log yet: nothing has run."))
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(log))
        return {"FINISHED"}


class VGGT_OT_copy_report(bpy.types.Operator):
    """Copy the message and its details to the clipboard, to be pasted where you ask for help"""

    bl_idname = ids.COPY_REPORT
    bl_label = "Copy Details"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy them."""
        message = controller.session().message
        if message is None:
            return {"CANCELLED"}
        versions = f"Blender {bpy.app.version_string}, {places.ADDON}"
        context.window_manager.clipboard = f"{message.sentence}\n{versions}\n{message.detail}"
        return {"FINISHED"}


CLASSES = (VGGT_OT_open_log, VGGT_OT_copy_report)
