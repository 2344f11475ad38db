"""What can be done with a capture that stands in the scene, or lies on disk.

This module imports bpy beyond the standard library; the room scene, and numpy with it, only inside what needs it.
"""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as tell
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...errors import UserError
from .. import controller, ids
from ..panels.capture import capture_at_hand
from .photos import ChoosesPhotos, chosen_files


class _OnCapture:
    """What these operators share: they need a capture to act on."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - how Blender declares it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is one."""
        return capture_at_hand(context) is not None


class _OnIdleCapture(_OnCapture):
    """For those that a build under way would come into the way of, and that change what only its own file may."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a capture of this file, and nothing under way."""
        if controller.busy():
            cls.poll_message_set("A reconstruction is under way: wait for it, or cancel it")
            return False
        root = capture_at_hand(context)
        if root is not None and root.library is not None:
            cls.poll_message_set("This capture is linked from another file: open that one to change it")
            return False
        return root is not None


class VGGT_OT_open_capture(bpy.types.Operator):
    """Choose the folder of a capture that was made before, and build its scene"""

    bl_idname = ids.OPEN_CAPTURE
    bl_label = "Open Capture"
    bl_options = {"REGISTER"}  # noqa: RUF012 - the scene that comes later is an undo step of its own

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether nothing else is under way."""
        return not controller.busy()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build what lies there."""
        from ...reconstruction_files import FILE_NAME

        folder = Path(bpy.path.abspath(self.directory)).absolute()
        if not (folder / FILE_NAME).is_file():
            self.report(
                {"ERROR"},
                tell("{folder} is no capture: choose a folder that holds {file}.").format(
                    folder=folder.name, file=FILE_NAME
                ),
            )
            return {"CANCELLED"}
        controller.open_capture(folder, context.scene)
        return {"FINISHED"}


class VGGT_OT_rebuild_capture(_OnIdleCapture, bpy.types.Operator):
    """Build this capture anew from its folder, in the same place, with the same sliders"""

    bl_idname = ids.REBUILD_CAPTURE
    bl_label = "Rebuild"
    bl_options = {"REGISTER"}  # noqa: RUF012 - the scene that comes later is an undo step of its own

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build it anew where its folder is known."""
        root = capture_at_hand(context)
        folder = _folder(self, root)
        if folder is None:
            return {"CANCELLED"}
        controller.open_capture(folder, context.scene, replace=root)
        return {"FINISHED"}


class VGGT_OT_add_to_capture(_OnIdleCapture, ChoosesPhotos, bpy.types.Operator):
    """Choose more photos of the same place: each gets a camera and a relief in this capture, and nothing else moves"""

    bl_idname = ids.ADD_TO_CAPTURE
    bl_label = "Add Photos to Capture"
    bl_options = {"REGISTER"}  # noqa: RUF012 - the scene that comes later is an undo step of its own

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Place them in the background."""
        root, photos = capture_at_hand(context), [str(path) for path in chosen_files(self)]
        if not photos:
            self.report({"WARNING"}, tell("No photos were chosen."))
            return {"CANCELLED"}
        folder = _folder(self, root)
        if folder is None:
            return {"CANCELLED"}
        try:
            controller.start_adding(context.scene, root, folder, photos)
        except UserError as error:
            self.report({"ERROR"}, error.sentence)
            return {"CANCELLED"}
        return {"FINISHED"}


def _folder(operator: bpy.types.Operator, root: bpy.types.Object) -> Path | None:
    """Where the capture of `root` lies; None, and a word on why, where that is not known or it is gone."""
    from ...reconstruction_files import FILE_NAME
    from ...scene.keep import capture_folder

    folder = capture_folder(root)
    if folder is not None and (folder / FILE_NAME).is_file():
        return folder
    sentence = tell("It is not known where this capture lies: open its folder with Open Capture.")
    if folder is not None:
        sentence = tell("The capture's folder is not there any more: {folder}.").format(folder=folder)
    operator.report({"ERROR"}, sentence)
    return None


class VGGT_OT_remove_capture(_OnIdleCapture, bpy.types.Operator):
    """Take this capture out of the scene; its folder on disk stays, and can be opened again"""

    bl_idname = ids.REMOVE_CAPTURE
    bl_label = "Remove Capture"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        from ...scene.captures import remove_capture

        remove_capture(capture_at_hand(context))
        return {"FINISHED"}


class VGGT_OT_show_part(_OnCapture, bpy.types.Operator):
    """Show or hide this part of the capture, in the viewport and in renders"""

    bl_idname = ids.SHOW_PART
    bl_label = "Show Part"

    part: EnumProperty(
        name="Part",
        items=(
            ("cameras", "Cameras", "One for each photo"),
            ("points", "Points", "The coloured cloud"),
            ("reliefs", "Reliefs", "Each photo as a surface"),
        ),
        description="Which part of the capture",
    )
    show: BoolProperty(name="Show", default=True, description="Show it, or hide it")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show or hide it."""
        from ...scene.captures import set_visible

        set_visible(capture_at_hand(context), self.part, self.show)
        return {"FINISHED"}


class VGGT_OT_show_colors(_OnCapture, bpy.types.Operator):
    """Show this viewport in material preview, and the scene in the photos' own colours (view transform Standard)"""

    bl_idname = ids.SHOW_COLORS
    bl_label = "Show Colors"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set both."""
        from ...scene.build import VIEW_TRANSFORM

        if context.space_data is not None and context.space_data.type == "VIEW_3D":
            context.space_data.shading.type = "MATERIAL"
        context.scene.view_settings.view_transform = VIEW_TRANSFORM
        context.scene.view_settings.look = "None"
        return {"FINISHED"}


class VGGT_OT_look_through(_OnCapture, bpy.types.Operator):
    """Look through the camera of this photo, at its photo's size: the scene overlays the photo"""

    bl_idname = ids.LOOK_THROUGH
    bl_label = "Look Through Camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look through the active camera of the capture, otherwise through its first."""
        from ...scene.cameras import look_through
        from ...scene.captures import parts

        root = capture_at_hand(context)
        active = context.view_layer.objects.active
        cameras = parts(root, "cameras")  # and none of the artist's own, which has no photo
        if not cameras:
            return {"CANCELLED"}
        look_through(active if active in cameras else cameras[0], context.scene)
        if context.space_data is not None and context.space_data.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (
    VGGT_OT_open_capture,
    VGGT_OT_add_to_capture,
    VGGT_OT_rebuild_capture,
    VGGT_OT_remove_capture,
    VGGT_OT_show_part,
    VGGT_OT_show_colors,
    VGGT_OT_look_through,
)
