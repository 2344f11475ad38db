"""The page of preferences in a real window: what is there, what could be, and what is said without a network.

    tests/window/run.sh all preferences

Run inside Blender by shoot.sh, which provides `ui`.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import bpy

ui: Any
ADDON = "bl_ext.user_default.vggt_addon"
WORK_LIMIT = 0.010  # seconds that one of our calls may hold the main thread


def steps() -> Iterator[Any]:
    """See the module."""
    controller, errands, findings = (
        importlib.import_module(f"{ADDON}.vggt_addon.ui.{name}") for name in ("controller", "errands", "findings")
    )
    area = ui.area()
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "VGGT"
    area.type = "PREFERENCES"
    yield 1.0
    ui.move(190, 108)  # the triangle before the add-on's name
    yield 0.5
    ui.click(190, 108)
    yield ui.wait(lambda: findings.known() is not None, limit=60)
    yield 1.0
    yield ui.shot("preferences-{v}.png")
    with bpy.context.temp_override(window=ui.window, area=area):
        bpy.ops.vggt.install_runtime("EXEC_DEFAULT")
    _check(errands.current() is not None, "the installation did not start")
    yield ui.wait(lambda: errands.current() is None, limit=60)
    yield 1.0
    _check(errands.message is not None and "online access" in errands.message.sentence.lower(), str(errands.message))
    yield ui.shot("preferences-offline-{v}.png")
    longest = max(controller.timings().calls, key=lambda call: call.work)
    ui.log(f"FIGURES {len(controller.timings().calls)} calls; the longest {longest.work * 1000:.1f} ms of work")
    _check(longest.work < WORK_LIMIT, f"a call: {longest}")
    bpy.ops.vggt.dismiss_errand()
    with bpy.context.temp_override(window=ui.window, area=area, region=area.regions[-1]):
        bpy.ops.vggt.install_runtime("INVOKE_DEFAULT")
    yield 1.0
    yield ui.shot("preferences-offer-{v}.png")
    ui.key("Escape")
    yield 1.0
    area.type = "VIEW_3D"
    yield 1.0


def _check(right: bool, sentence: str) -> None:
    if not right:
        ui.fail(sentence)
