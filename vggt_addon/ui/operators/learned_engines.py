"""What the learned engines need: the runtime installed, repaired, removed; weights downloaded, or taken from a file.

This module imports bpy beyond the standard library.
"""

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as tell
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...errors import UserError
from ...weights.catalogue import CATALOGUE, find_entry
from .. import controller, diagnosing, errands, findings, ids
from ..panels.text import draw_text

PAGE_WIDTH = 560  # of the dialogs, in Blender's units: a line of 80 letters


class _Errand:
    """What these operators share: one errand at a time, and what cannot start is told."""

    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012 - how Blender declares it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether none is under way."""
        if errands.current() is not None:
            cls.poll_message_set("Something is being installed: wait for it, or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it."""
        try:
            self.start()
        except UserError as error:
            self.report({"ERROR"}, error.sentence)
            return {"CANCELLED"}
        return {"FINISHED"}


class _OnRuntime(_Errand):
    """A reconstruction may run by what these change."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether nothing is under way that it would disturb."""
        if controller.busy():
            cls.poll_message_set("A reconstruction is under way: wait for it, or cancel it")
            return False
        return super().poll(context)


class VGGT_OT_install_runtime(_OnRuntime, bpy.types.Operator):
    """Install PyTorch and what it needs into a folder of its own; nothing of Blender's is changed"""

    bl_idname = ids.INSTALL_RUNTIME
    bl_label = "Install Runtime"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show what would be installed, first."""
        return context.window_manager.invoke_props_dialog(self, width=PAGE_WIDTH, confirm_text="Install")

    def draw(self, context: bpy.types.Context) -> None:
        """What would be installed, where, how large, under which licences."""
        _draw_offer(self.layout, context)

    def start(self) -> None:
        """Go."""
        errands.change_runtime("install")


class VGGT_OT_install_archive(_OnRuntime, bpy.types.Operator):
    """Install the runtime from an archive file that was made for it, without the network"""

    bl_idname = ids.INSTALL_ARCHIVE
    bl_label = "Install from Archive"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}, description="The archive")
    filter_glob: StringProperty(default="*.zip", options={"HIDDEN"}, description="What is shown")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Choose the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def start(self) -> None:
        """Go."""
        errands.change_runtime("install", Path(bpy.path.abspath(self.filepath)).absolute())


class VGGT_OT_mend_runtime(_OnRuntime, bpy.types.Operator):
    """Look into every file of the runtime, and fetch anew what is damaged or out of date"""

    bl_idname = ids.MEND_RUNTIME
    bl_label = "Repair"

    action: EnumProperty(
        items=(
            ("repair", "Repair", "Fetch anew what is damaged or out of date"),
            ("verify", "Check", "Only look"),
        ),
        options={"SKIP_SAVE", "HIDDEN"},
        description="What is done",
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The tooltip of either."""
        if properties.action == "verify":
            return "Read every file of the runtime and try its device; nothing is changed"
        return cls.__doc__ or ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show what a repair may fetch, first."""
        if self.action == "verify":
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=PAGE_WIDTH, confirm_text="Repair")

    def draw(self, context: bpy.types.Context) -> None:
        """What it would come to at the most."""
        what = tell("Fetches what is damaged or out of date, and nothing else. At the most, that is everything:")
        draw_text(self.layout, context, what, width=PAGE_WIDTH)
        _draw_offer(self.layout, context)

    def start(self) -> None:
        """Go."""
        errands.change_runtime(self.action)


class VGGT_OT_remove_runtime(_OnRuntime, bpy.types.Operator):
    """Remove the runtime from this disk; weights and captures stay"""

    bl_idname = ids.REMOVE_RUNTIME
    bl_label = "Remove Runtime"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def start(self) -> None:
        """Go."""
        errands.change_runtime("remove")


class _OnWeights(_Errand):
    weights: EnumProperty(
        items=[(each.id, each.title, each.licence) for each in CATALOGUE],
        options={"SKIP_SAVE", "HIDDEN"},
        description="Which weights",
    )
    accepted: BoolProperty(
        name="I accept this licence",
        description="You have read the licence on the publishers' page, and accept it",
        options={"SKIP_SAVE"},
    )

    def draw_licence(self, context: bpy.types.Context) -> None:
        """The terms, and the box to tick."""
        entry = find_entry(self.weights)
        lines = (entry.title, tell("Licence: {licence}.").format(licence=entry.licence), entry.terms)
        for line in lines:
            draw_text(self.layout, context, line, width=PAGE_WIDTH)
        self.layout.operator("wm.url_open", text="Read the Licence", icon="URL").url = entry.page
        self.layout.prop(self, "accepted")

    def check_accepted(self) -> None:
        """Raise UserError unless the box is ticked."""
        if not self.accepted:
            raise UserError(tell("Read the licence, and tick that you accept it; nothing was fetched."))


class VGGT_OT_download_weights(_OnWeights, bpy.types.Operator):
    """Download these weights from those who published them; a download that was interrupted goes on"""

    bl_idname = ids.DOWNLOAD_WEIGHTS
    bl_label = "Download Weights"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the licence first."""
        return context.window_manager.invoke_props_dialog(self, width=PAGE_WIDTH, confirm_text="Download")

    def draw(self, context: bpy.types.Context) -> None:
        """Licence, size, and consent."""
        entry = find_entry(self.weights)
        self.draw_licence(context)
        size = tell("About {size:.1f} GB to download.").format(size=entry.size / 1e9)
        draw_text(self.layout, context, size, width=PAGE_WIDTH)
        if entry.gated:
            gated = tell(
                "The publishers ask for consent on their page, and for a token: put it into a file, and name that file "
                "in the preferences."
            )
            draw_text(self.layout, context, gated, "INFO", width=PAGE_WIDTH)
        _draw_online_access(self.layout, context)

    def start(self) -> None:
        """Go."""
        self.check_accepted()
        errands.get_weights(find_entry(self.weights))


class VGGT_OT_use_weights(_OnWeights, bpy.types.Operator):
    """Use a file of these weights that you have, .pt or .safetensors; it is copied into the folder of weights"""

    bl_idname = ids.USE_WEIGHTS
    bl_label = "Use This File"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}, description="The file of weights")
    filter_glob: StringProperty(
        default="*.pt;*.pth;*.safetensors", options={"HIDDEN"}, description="What is shown of the folder"
    )
    replace: BoolProperty(
        name="Replace",
        description="Also where other weights of this name are there",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Choose the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        """In the file browser's sidebar."""
        self.draw_licence(context)
        self.layout.prop(self, "replace")

    def start(self) -> None:
        """Go."""
        self.check_accepted()
        file = str(Path(bpy.path.abspath(self.filepath)).absolute())
        errands.get_weights(find_entry(self.weights), file, replace=self.replace)


class VGGT_OT_remove_weights(_Errand, bpy.types.Operator):
    """Delete these weights from this disk; captures that were made with them stay"""

    bl_idname = ids.REMOVE_WEIGHTS
    bl_label = "Remove Weights"

    weights: EnumProperty(
        items=[(each.id, each.title, each.licence) for each in CATALOGUE],
        options={"SKIP_SAVE", "HIDDEN"},
        description="Which weights",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def start(self) -> None:
        """Go."""
        errands.remove_weights(find_entry(self.weights))


class VGGT_OT_cancel_errand(bpy.types.Operator):
    """Stop this; what was there before stays, and a download goes on from here next time"""

    bl_idname = ids.CANCEL_ERRAND
    bl_label = "Cancel"
    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is something."""
        return errands.current() is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to stop."""
        errands.cancel()
        return {"FINISHED"}


class VGGT_OT_dismiss_errand(bpy.types.Operator):
    """Put this message away"""

    bl_idname = ids.DISMISS_ERRAND
    bl_label = "Dismiss"
    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget it."""
        errands.dismiss()
        return {"FINISHED"}


class VGGT_OT_copy_diagnosis(bpy.types.Operator):
    """Copy what an engineer needs to know of this machine to the clipboard: versions, graphics card, runtime, log"""

    bl_idname = ids.COPY_DIAGNOSIS
    bl_label = "Copy Diagnosis"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it is not being made already."""
        return not diagnosing.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin: drivers may take seconds to answer."""
        diagnosing.start()
        return {"FINISHED"}


def _draw_offer(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    found = findings.known()
    if found is not None and found.offer is not None:
        for sentence in found.offer.sentences:
            draw_text(layout, context, sentence, width=PAGE_WIDTH)
    _draw_online_access(layout, context)


def _draw_online_access(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if not bpy.app.online_access:
        off = tell("Blender's online access is off: allow it under Preferences > System > Network first.")
        draw_text(layout, context, off, "ERROR", width=PAGE_WIDTH)


CLASSES = (
    VGGT_OT_install_runtime,
    VGGT_OT_install_archive,
    VGGT_OT_mend_runtime,
    VGGT_OT_remove_runtime,
    VGGT_OT_download_weights,
    VGGT_OT_use_weights,
    VGGT_OT_remove_weights,
    VGGT_OT_cancel_errand,
    VGGT_OT_dismiss_errand,
    VGGT_OT_copy_diagnosis,
)
