"""The result box: what the capture at hand consists of, how good it is, and what of it is shown.

This module imports bpy beyond the standard library; the room scene, and numpy with it, only when a capture is there.
"""

from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as text

from .. import controller, ids, wording
from .sidebar import InSidebar
from .text import draw_text

if TYPE_CHECKING:
    from ...scene.summary import CaptureSummary

SHOWN_AT_MOST = 8  # warnings, and photos left out, before "and so on"
PARTS = (
    ("cameras", "Cameras"),
    ("points", "Points"),
    ("reliefs", "Reliefs"),
)


def capture_at_hand(context: bpy.types.Context) -> bpy.types.Object | None:
    """The root of the capture that the active object belongs to, otherwise of the newest one in the scene."""
    if context.scene is None or not any("capture_id" in thing for thing in context.scene.objects):
        return None
    from ...scene.captures import capture_of, captures

    active = context.view_layer.objects.active if context.view_layer is not None else None
    found = capture_of(active) if active is not None else None
    everything = captures(context.scene)
    return found or (everything[-1] if everything else None)


class VGGT_PT_capture(InSidebar, bpy.types.Panel):
    """What came out."""

    bl_label = "Capture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where the scene has one."""
        return capture_at_hand(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Figures, sliders, what is shown, and what can be done with it."""
        from ...scene.summary import read_summary

        root = capture_at_hand(context)
        layout = self.layout
        layout.label(text=root.name, icon="OUTLINER_OB_EMPTY", translate=False)
        summary = read_summary(root)
        if summary is not None:
            _draw_figures(layout.box(), context, summary)
            _draw_left_out(layout, context, summary)
        _draw_sliders(layout, root)
        _draw_parts(layout, root)
        _draw_colors(layout, context)
        layout.operator(ids.LOOK_THROUGH, icon="VIEW_CAMERA")
        layout.operator(ids.ADD_TO_CAPTURE, icon="ADD")
        row = layout.row(align=True)
        row.operator(ids.REBUILD_CAPTURE, icon="FILE_REFRESH")
        row.operator(ids.REMOVE_CAPTURE, icon="TRASH")


def _draw_colors(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where colours are not seen as they are: how to get there."""
    shading = context.space_data.shading.type
    if shading in ("SOLID", "WIREFRAME"):
        draw_text(layout, context, text("Solid mode shows neither photos nor the points' colors."), "INFO")
    elif context.scene.view_settings.view_transform != "Standard":
        draw_text(layout, context, text("The view transform changes the photos' colors."), "INFO")
    else:
        return
    layout.operator(ids.SHOW_COLORS, icon="SHADING_TEXTURE")


def _draw_figures(box: bpy.types.UILayout, context: bpy.types.Context, summary: "CaptureSummary") -> None:
    box = box.column(align=True)
    box.scale_y = 0.85
    placed = text("{placed} of {all} photos placed").format(
        placed=summary.photos_placed, all=summary.photos_placed + summary.photos_left_out
    )
    box.label(text=placed, icon="CHECKMARK", translate=False)
    if summary.points:
        box.label(text=wording.counted(summary.points, text("point"), text("points")), icon="BLANK1", translate=False)
    if summary.focal_range is not None:
        low, high = (round(value) for value in summary.focal_range)
        focal = f"{low} mm" if low == high else f"{low} - {high} mm"
        doubt = text(", uncertain") if summary.focal_uncertain else ""
        box.label(text=text("Focal length {focal}").format(focal=focal) + doubt, icon="BLANK1", translate=False)
    if summary.reprojection_error is not None:
        error = text("Error {error} px").format(error=f"{summary.reprojection_error:.2f}")
        box.label(text=error, icon="BLANK1", translate=False)
    engine = controller.engine_title(summary.engine)
    engine = engine if not summary.weights else f"{engine}, {summary.weights} ({summary.licence})"
    draw_text(box, context, text("Engine: {engine}").format(engine=engine), "BLANK1")


def _draw_left_out(layout: bpy.types.UILayout, context: bpy.types.Context, summary: "CaptureSummary") -> None:
    for warning in summary.warnings[:SHOWN_AT_MOST]:
        draw_text(layout, context, warning, "INFO")
    if summary.photos_left_out:
        box = layout.box()
        counted = wording.counted(summary.photos_left_out, text("photo was left out"), text("photos were left out"))
        box.label(text=f"{counted}:", icon="ERROR", translate=False)
        for name, reason in summary.left_out[:SHOWN_AT_MOST]:
            draw_text(box, context, f"{name}: {reason}")
        if summary.photos_left_out > SHOWN_AT_MOST:
            box.label(text="... the log names the others.")


def _draw_sliders(layout: bpy.types.UILayout, root: Any) -> None:
    column = layout.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    sliders = (
        ("confidence_threshold", text("Confidence")),
        ("point_radius", text("Point Size")),
        ("cut_depth_edges", text("Cut Edges")),
    )
    for name, label in sliders:
        if name in root:
            column.prop(root, f'["{name}"]', text=label, translate=False)


def _draw_parts(layout: bpy.types.UILayout, root: bpy.types.Object) -> None:
    from ...scene.captures import visible

    row = layout.row(align=True)
    for part, label in PARTS:
        shown = visible(root, part)
        button = row.operator(ids.SHOW_PART, text=text(label), icon="HIDE_OFF" if shown else "HIDE_ON", depress=shown)
        button.part, button.show = part, not shown


CLASSES = (VGGT_PT_capture,)
