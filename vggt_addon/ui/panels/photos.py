"""The list of photos and clips.

This module imports bpy beyond the standard library.
"""

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as text

from ...clock import clock
from .. import asking, controller, ids, thumbnails, wording
from .sidebar import InSidebar
from .text import draw_text

HINT = (
    "Ten to fifty photos from different sides work best, each sharing half of its picture with the next; "
    "or a clip of a slow walk."
)


class VGGT_UL_photos(bpy.types.UIList):
    """A line for each photo: its picture, its name, and whether it is used; for a clip also its length."""

    bl_idname = ids.PHOTO_LIST

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        """One line."""
        row = layout.row(align=True)
        row.prop(item, "use", text="")
        name = row.row(align=True)
        name.active = item.use and not item.problem
        picture = thumbnails.icon(item.path)
        if item.problem:
            name.label(text=item.name, icon="ERROR", translate=False)
        elif picture:
            name.label(text=item.name, icon_value=picture, translate=False)
        else:
            name.label(text=item.name, icon="FILE_MOVIE" if item.frames else "IMAGE_DATA", translate=False)
        if item.frames and not item.problem:
            length = name.row()
            length.alignment = "RIGHT"  # as wide as its text: the name gets the rest
            length.label(text=clock(item.seconds), translate=False)
        if item.mask and not item.problem:
            row.label(text="", icon="MOD_MASK")
        if item.path == asking.reference_photo(data):
            row.label(text="", icon="PINNED")


class VGGT_PT_photos(InSidebar, bpy.types.Panel):
    """Photos to reconstruct from."""

    bl_label = "Photos"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is a scene."""
        return context.scene is not None

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """How many there are, beside the panel's name."""
        photos = context.scene.vggt.photos
        if photos:
            used = sum(photo.use and not photo.problem for photo in photos)
            self.layout.label(text=text("{used} of {all}").format(used=used, all=len(photos)), translate=False)

    def draw(self, context: bpy.types.Context) -> None:
        """The list, or what to do where it is empty."""
        layout, properties = self.layout, context.scene.vggt
        if not properties.photos:
            box = layout.box()
            draw_text(box, context, text("Drop photos of one place on the viewport, or a clip; or:"), "IMAGE_DATA")
            _draw_adding(box)
            draw_text(box, context, text(HINT))
            return
        row = layout.row()
        row.template_list(ids.PHOTO_LIST, "", properties, "photos", properties, "active_photo", rows=6)
        column = row.column(align=True)
        column.operator(ids.ADD_PHOTOS, text="", icon="ADD")
        column.operator(ids.REMOVE_PHOTO, text="", icon="REMOVE")
        column.separator()
        column.operator(ids.MOVE_PHOTO, text="", icon="TRIA_UP").direction = "UP"
        column.operator(ids.MOVE_PHOTO, text="", icon="TRIA_DOWN").direction = "DOWN"
        column.separator()
        column.operator(ids.SET_REFERENCE, text="", icon="PINNED")
        column.operator(ids.CLEAR_PHOTOS, text="", icon="TRASH")
        _draw_adding(layout)
        if 0 <= properties.active_photo < len(properties.photos):
            _draw_photo(layout, context, properties.photos[properties.active_photo], properties)


def _draw_adding(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.operator(ids.ADD_PHOTOS, icon="FILE_IMAGE")
    row.operator(ids.ADD_FOLDER, icon="FILE_FOLDER")


def _draw_photo(layout: bpy.types.UILayout, context: bpy.types.Context, photo: Any, properties: Any) -> None:
    """The photo that is chosen on the list: its picture and what is known of it."""
    box = layout.box()
    picture = thumbnails.icon(photo.path)
    if picture:
        box.template_icon(icon_value=picture, scale=6.0)
    if photo.problem:
        draw_text(box, context, photo.problem, "ERROR")
    elif not photo.width:
        box.label(text="Being looked at..." if controller.session().working else "Not looked at yet")
    else:
        _draw_facts(box, context, photo, properties)


def _draw_facts(box: bpy.types.UILayout, context: bpy.types.Context, photo: Any, properties: Any) -> None:
    """What is known of a photo that can be used."""
    row = box.row()
    row.label(text=f"{photo.width} x {photo.height}", translate=False)
    if photo.frames:
        row.label(text=clock(photo.seconds), translate=False)
        box.label(text=_frames(photo, properties), translate=False)
    elif 0 < photo.focal < 1e9:  # a .blend may hold anything
        millimetres = wording.focal_millimetres(photo.focal, photo.width, photo.height)
        row.label(text=text("{focal} mm equiv.").format(focal=round(millimetres)), translate=False)
    else:
        row.label(text="Focal length unknown")
    if photo.mask:
        draw_text(box, context, text("Masked by {file}").format(file=photo.mask), "MOD_MASK")
    if photo.remark:
        draw_text(box, context, photo.remark, "INFO")


def _frames(clip: Any, properties: Any) -> str:
    """How many frames of a clip a run would use: at the most these, of how many the file claims."""
    used = min(clip.frames, properties.frames_per_clip)
    return text("About {used} of {all} frames").format(used=used, all=clip.frames)


CLASSES = (VGGT_UL_photos, VGGT_PT_photos)
