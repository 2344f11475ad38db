"""Which engine, what it needs, and whether it is ready.

This module imports bpy beyond the standard library.
"""

import bpy
from bpy.app.translations import pgettext_iface as text

from .. import controller, places
from .sidebar import WithPhotos
from .text import draw_text


class VGGT_PT_engine(WithPhotos, bpy.types.Panel):
    """What finds the cameras and measures depth."""

    bl_label = "Engine"

    def draw(self, context: bpy.types.Context) -> None:
        """The choice, and each engine's state."""
        layout, properties = self.layout, context.scene.vggt
        layout.prop(properties, "engine", text="")
        planned = controller.planned(context.scene)
        if planned is not None and properties.engine == "auto":
            chosen = text("Chosen: {engine}, {reason}.").format(
                engine=controller.engine_title(planned.engine), reason=planned.reason.rstrip(".")
            )
            draw_text(layout, context, chosen)
        engines = controller.session().engines
        if not engines:
            layout.label(text="Their state is asked for with the first photos.")
        for state in engines:
            if properties.engine in ("auto", state.name):
                box = layout.box()
                ready = text("ready") if state.ready else text("not ready")
                box.label(
                    text=f"{controller.engine_title(state.name)}: {ready}",
                    icon="CHECKMARK" if state.ready else "INFO",
                    translate=False,
                )
                if state.needs:
                    draw_text(box, context, state.needs)
                if not state.ready and state.name != "sfm":
                    box.operator("preferences.addon_show", text="Set Up", icon="PREFERENCES").module = places.ADDON
                if state.licence:
                    draw_text(box, context, text("Licence of its weights: {licence}").format(licence=state.licence))


CLASSES = (VGGT_PT_engine,)
