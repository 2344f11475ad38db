"""The part of the preferences that the learned engines need: the runtime, the weights, and what is being done to them.

This module imports nothing beyond the room; what it is handed are Blender's layout and context.
"""

from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as text

from .. import controller, errands, findings, ids, wording
from ..session import Message
from .text import draw_text

if TYPE_CHECKING:
    from ..looking import Findings, FoundWeights

GIGABYTE = 1e9


def draw_learned_engines(layout: Any, context: Any) -> None:
    """The boxes; what is not known yet is found out, and the page drawn again."""
    if findings.ask():
        controller.poll()
    found = findings.known()
    _draw_errand(layout, context)
    box = layout.box()
    box.label(text="Runtime for VGGT and DUSt3R (PyTorch)", icon="PREFERENCES")
    if found is None:
        if findings.failure():
            draw_text(box, context, findings.failure(), "ERROR")
        else:
            box.label(text="Looking at this machine...", icon="TIME")
        return
    _draw_runtime(box, context, found)
    box = layout.box()
    box.label(text="Weights", icon="NODETREE")
    for weights in found.weights:
        _draw_weights(box, context, weights)


def _draw_errand(layout: Any, context: Any) -> None:
    errand = errands.current()
    if errand is not None:
        status = errand.status
        box = layout.box()
        box.label(text=f"{text(errand.title)}: {wording.shown(status.stage)}", icon="SORTTIME", translate=False)
        row = box.row()
        row.progress(factor=status.fraction, text=f"{status.fraction:.0%}", translate=False)
        row.operator(ids.CANCEL_ERRAND, icon="CANCEL")
        if status.seconds_left is not None:
            left = text("about {time} left").format(time=wording.duration(status.seconds_left))
            box.label(text=left, icon="TIME", translate=False)
    if errands.message is not None:
        _draw_message(layout, context, errands.message)


def _draw_message(layout: Any, context: Any, message: Message) -> None:
    box = layout.box()
    draw_text(box, context, message.sentence, "ERROR" if message.kind == "ERROR" else "INFO")
    row = box.row()
    row.operator(ids.DISMISS_ERRAND, icon="X")
    if message.kind == "ERROR":
        row.operator(ids.OPEN_LOG, icon="TEXT")
        row.operator(ids.COPY_DIAGNOSIS, icon="COPYDOWN")


def _draw_runtime(box: Any, context: Any, found: "Findings") -> None:
    state, offer = found.runtime, found.offer
    condition = state.condition.value
    icon = {"ready": "CHECKMARK", "none": "INFO"}.get(condition, "ERROR")
    draw_text(box, context, state.sentence, icon)
    if state.record is not None:
        place = text("{size:.1f} GB, made {date}").format(
            size=state.record.size / GIGABYTE, date=state.record.made[:10]
        )
        box.label(text=place, icon="BLANK1", translate=False)
    elif offer is not None:
        for sentence in offer.sentences[:3]:
            draw_text(box, context, sentence, "BLANK1")
    elif found.refusal:
        draw_text(box, context, found.refusal, "ERROR")
    row = box.row()
    if condition == "none":
        if offer is not None:
            row.operator(ids.INSTALL_RUNTIME, icon="IMPORT")
            row.operator(ids.INSTALL_ARCHIVE, icon="FILE_FOLDER")
        if state.leftovers:
            row.operator(ids.REMOVE_RUNTIME, text="Remove What Is Left", icon="TRASH")
    else:
        if state.repairable:
            row.operator(ids.MEND_RUNTIME, text="Repair", icon="FILE_REFRESH").action = "repair"
        else:
            row.operator(ids.MEND_RUNTIME, text="Check", icon="FILE_TICK").action = "verify"
        row.operator(ids.INSTALL_ARCHIVE, icon="FILE_FOLDER")
        row.operator(ids.REMOVE_RUNTIME, icon="TRASH")
    row.operator(ids.COPY_DIAGNOSIS, icon="COPYDOWN")
    if condition != "ready" and not bpy.app.online_access:
        draw_text(box, context, text("Blender's online access is off (System > Network): only an archive can be used."))


def _draw_weights(box: Any, context: Any, weights: "FoundWeights") -> None:
    entry, stored = weights.entry, weights.stored
    column = box.column(align=True)
    icon = "CHECKMARK" if stored else ("ERROR" if weights.problem else "BLANK1")
    column.label(text=entry.title, icon=icon, translate=False)
    if stored is not None:
        size = text("{size:.1f} GB").format(size=stored.size / GIGABYTE)
        licence = text("Licence: {licence}.").format(licence=stored.licence)
        draw_text(column, context, f"{stored.path} ({size}). {licence}", "BLANK1")
        row = column.row()
        row.operator(ids.USE_WEIGHTS, text="Use Another File", icon="FILE_FOLDER").weights = entry.id
        row.operator(ids.REMOVE_WEIGHTS, text="Remove", icon="TRASH").weights = entry.id
        return
    if weights.problem:
        draw_text(column, context, weights.problem, "BLANK1")
    licence = text("Licence: {licence}.").format(licence=entry.licence)
    draw_text(column, context, f"{licence} {entry.terms}", "BLANK1")
    row = column.row()
    size = text("Download ({size:.1f} GB)").format(size=entry.size / GIGABYTE)
    row.operator(ids.DOWNLOAD_WEIGHTS, text=size, icon="IMPORT", translate=False).weights = entry.id
    row.operator(ids.USE_WEIGHTS, text="Use a File", icon="FILE_FOLDER").weights = entry.id
    if weights.problem:
        row.operator(ids.REMOVE_WEIGHTS, text="Remove", icon="TRASH").weights = entry.id
