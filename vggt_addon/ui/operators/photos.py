"""Putting photos and clips on the list: chosen in the file browser, a folder of them, or dropped on the viewport.

This module imports bpy beyond the standard library.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as tell
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from ...photo_names import CLIP_EXTENSIONS, EXTENSIONS, is_named_mask, natural_key, photos_in
from .. import controller, ids, wording

TAKEN = EXTENSIONS | CLIP_EXTENSIONS
FILTER = ";".join(f"*{extension}" for extension in sorted(TAKEN))


def add_photos(context: bpy.types.Context, paths: Iterable[Path]) -> tuple[int, int]:
    """Put `paths` at the end of the scene's list and look at them; how many are new, and how many were there."""
    properties = context.scene.vggt
    known = {photo.path for photo in properties.photos}
    wanted = [str(path) for path in paths]
    new = [path for path in dict.fromkeys(wanted) if path not in known]
    for path in new:
        photo = properties.photos.add()
        photo.name = wording.shown(Path(path).name)
        photo.path = path
    controller.photos_changed()
    return len(new), len(wanted) - len(new)


def report_added(operator: bpy.types.Operator, added: int, known: int) -> set[str]:
    """Say what came of it, and how the operator ends."""
    if not added and not known:
        operator.report(
            {"WARNING"}, tell("No photos were found there: choose JPEG, HEIC, PNG or TIFF files, or a clip.")
        )
        return {"CANCELLED"}
    sentence = tell("{added} photos were added").format(added=added)
    if known:
        sentence += tell(", {known} were on the list already").format(known=known)
    operator.report({"INFO"}, sentence + ".")
    return {"FINISHED"} if added else {"CANCELLED"}


class ChoosesPhotos:
    """What operators share that let photos and clips be chosen in the file browser; see `chosen_files`."""

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: StringProperty(default=FILTER, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class VGGT_OT_add_photos(ChoosesPhotos, bpy.types.Operator):
    """Choose photos of one place, taken from different sides, or a clip of a walk around it"""

    bl_idname = ids.ADD_PHOTOS
    bl_label = "Add Photos"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - how Blender declares it

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add what was chosen."""
        return report_added(self, *add_photos(context, chosen_files(self)))


class VGGT_OT_add_folder(bpy.types.Operator):
    """Choose a folder: all photos and clips directly in it are added"""

    bl_idname = ids.ADD_FOLDER
    bl_label = "Add Folder"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - how Blender declares it

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the folder's photos."""
        folder = Path(bpy.path.abspath(self.directory))
        try:
            found = photos_in(folder)
        except OSError as error:
            self.report({"ERROR"}, tell("{folder} cannot be read: {why}.").format(folder=folder, why=error.strerror))
            return {"CANCELLED"}
        return report_added(self, *add_photos(context, found))


class VGGT_OT_drop_photos(bpy.types.Operator):
    """Put the photos and clips that were dropped on the list to reconstruct a scene from"""

    bl_idname = ids.DROP_PHOTOS
    bl_label = "Photos to a Scene (VGGT)"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - how Blender declares it

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Add them, and open the sidebar where they are listed."""
        ended = self.execute(context)
        show_panel(context.area)
        return ended

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add them."""
        return report_added(self, *add_photos(context, chosen_files(self)))


def show_panel(area: bpy.types.Area | None) -> None:
    """Open the sidebar of a 3D viewport on our tab; Blender knows the tabs once it has drawn them."""
    if area is None or area.type != "VIEW_3D":
        return
    area.spaces.active.show_region_ui = True
    for region in area.regions:
        if region.type == "UI" and hasattr(region, "active_panel_category"):
            try:
                region.active_panel_category = ids.CATEGORY
            except (AttributeError, TypeError):  # a sidebar that was closed until now has no tabs yet
                return


class VGGT_FH_photos(bpy.types.FileHandler):
    """Photos and clips dropped on a 3D viewport go on the list."""

    bl_idname = ids.DROP_HANDLER
    bl_label = "Photos for a Scene (VGGT)"
    bl_import_operator = ids.DROP_PHOTOS
    bl_file_extensions = ";".join(sorted(TAKEN))

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only where a scene is looked at."""
        return context.area is not None and context.area.type == "VIEW_3D"


def chosen_files(operator: Any) -> list[Path]:
    """The photos and clips that the file browser, or a drop, has handed to the operator."""
    folder = Path(bpy.path.abspath(operator.directory))
    paths = [folder / file.name for file in operator.files if file.name]
    taken = [path for path in paths if path.suffix.lower() in TAKEN and not is_named_mask(path)]
    return sorted(taken, key=natural_key)


CLASSES = (VGGT_OT_add_photos, VGGT_OT_add_folder, VGGT_OT_drop_photos, VGGT_FH_photos)
