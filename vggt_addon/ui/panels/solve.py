"""The plan and the button; while it runs, stage, bar, time left and Cancel; messages.

This module imports bpy beyond the standard library.
"""

import bpy
from bpy.app.translations import pgettext_iface as text

from .. import asking, controller, ids, wording
from ..session import Message
from .sidebar import InSidebar
from .text import draw_text


class VGGT_PT_solve(InSidebar, bpy.types.Panel):
    """Photos to a scene."""

    bl_label = "Reconstruct"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is something to do or to say."""
        session = controller.session()
        return context.scene is not None and bool(
            context.scene.vggt.photos or session.message is not None or controller.busy()
        )

    def draw(self, context: bpy.types.Context) -> None:
        """What is next."""
        layout, session = self.layout, controller.session()
        if session.message is not None:
            _draw_message(layout, context, session.message)
        if controller.busy():
            self._draw_progress(context)
            return
        photos = asking.chosen_photos(context.scene.vggt)
        if photos:
            self._draw_plan(context, len(photos))
        row = layout.row()
        row.scale_y = 1.6
        row.operator(ids.RECONSTRUCT, icon="CAMERA_DATA")

    def _draw_plan(self, context: bpy.types.Context, photos: int) -> None:
        layout, session = self.layout, controller.session()
        planned = controller.planned(context.scene)
        if planned is not None:
            draw_text(layout, context, planned.sentence, "TIME" if planned.fits else "ERROR")
            engine = text("Engine: {engine}").format(engine=controller.engine_title(planned.engine))
            layout.label(text=engine, icon="BLANK1", translate=False)
        elif session.plan_problem:
            draw_text(layout, context, session.plan_problem, "ERROR")
        else:
            layout.label(text=wording.counted(photos, text("photo"), text("photos")), icon="TIME", translate=False)

    def _draw_progress(self, context: bpy.types.Context) -> None:
        layout, stage = self.layout, controller.stage()
        column = layout.column(align=True)
        column.label(text=stage.name, translate=False)
        row = column.row()
        row.scale_y = 1.2
        row.progress(factor=stage.fraction, text=f"{stage.fraction:.0%}", translate=False)
        if stage.seconds_left is not None:
            left = text("about {time} left").format(time=wording.duration(stage.seconds_left))
            column.label(text=left, icon="TIME", translate=False)
        run = controller.session().run
        if run is not None and run.chosen is not None:
            engine = text("Engine: {engine}").format(engine=controller.engine_title(run.chosen.engine))
            column.label(text=engine, icon="BLANK1", translate=False)
        layout.operator(ids.CANCEL, icon="CANCEL")


def _draw_message(layout: bpy.types.UILayout, context: bpy.types.Context, message: Message) -> None:
    box = layout.box()
    draw_text(box, context, message.sentence, "ERROR" if message.kind == "ERROR" else "INFO")
    row = box.row(align=True)
    row.operator(ids.DISMISS, icon="X")
    if message.kind == "ERROR":
        row.operator(ids.OPEN_LOG, icon="TEXT")
        row.operator(ids.COPY_REPORT, text="", icon="COPYDOWN")


CLASSES = (VGGT_PT_solve,)
