"""Photos dropped on a real window, the button pressed with the real mouse, until the scene stands; pictures on the way.

    tests/window/run.sh all main_job FOLDER      (an absolute path)

Run inside Blender by shoot.sh, which provides `ui`. Checked: the window takes keys and redraws while the worker runs,
our calls are short, the bar moves, one undo removes the scene and one redo brings it back.
"""

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

ui: Any
WAITING_LIMIT = 0.010  # seconds that one of our calls may hold the main thread while the worker runs
BUILDING_LIMIT = 0.100  # and while the scene is built
FOREIGN = ("torch", "pycolmap", "cv2", "PIL", "av", "huggingface_hub")
PACKAGE = "bl_ext.user_default.vggt_addon.vggt_addon"


def steps() -> Iterator[Any]:
    """See the module."""
    controller = importlib.import_module(f"{PACKAGE}.ui.controller")
    folder = Path(ui.args[0])
    names = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    yield 0.5
    yield ui.shot("empty-{v}.png")
    yield ui.shot("empty-sidebar-{v}.png", crop="sidebar")
    with ui.override():
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=f"{folder}/", files=[{"name": name} for name in names])
    yield 1.5
    if not bpy.context.scene.vggt.photos:  # Blender asks, because it can do other things with a picture, too
        yield ui.shot("dropped-{v}.png")
        ui.key("p")  # the entry's underlined letter
        yield 1.0
    photos = bpy.context.scene.vggt.photos
    _check(len(photos) == len(names), f"{len(photos)} of {len(names)} photos are on the list")
    yield ui.wait(lambda: controller.session().planned is not None or controller.session().plan_problem, limit=120)
    yield ui.tab("VGGT")
    yield 1.0
    yield ui.shot("filled-{v}.png")
    yield ui.shot("filled-sidebar-{v}.png", crop="sidebar")
    with ui.override():
        bpy.ops.ed.undo_push(message="before")
    yield from _press(controller)
    yield from _watch(controller)
    yield 1.0
    yield ui.shot("done-{v}.png")
    yield ui.shot("done-sidebar-{v}.png", crop="sidebar")
    ui.view_all()
    yield 2.0
    yield ui.shot("around-{v}.png")
    yield from _undo_and_redo(len(names))
    yield from _error(controller)
    foreign = [name for name in FOREIGN if name in sys.modules]
    _check(not foreign, f"Blender's process holds {foreign}")


def _press(controller: Any) -> Iterator[Any]:
    """The real mouse on the button. Where it is, only the picture knows: about here, whatever the plan's length."""
    sidebar = ui.region("UI")
    for height in (658, 640, 676, 694):
        ui.move(sidebar.x + sidebar.width // 2, height)
        yield 0.5
        ui.click(sidebar.x + sidebar.width // 2, height)
        yield 1.5
        if controller.busy():
            return
    _check(False, "the button was not hit")


def _watch(controller: Any) -> Iterator[Any]:
    """While it runs: keys arrive, the bar moves, and a picture is taken half way."""
    fractions: list[float] = []
    began, shot, keys = time.monotonic(), False, 0
    while controller.busy():
        fractions.append(controller.stage().fraction)
        if fractions[-1] > 0.25 and not shot:
            shot = True
            yield ui.shot("running-{v}.png")
            yield ui.shot("running-sidebar-{v}.png", crop="sidebar")
        if fractions[-1] > 0.85:  # a key that arrives after the scene does is an undo step of its own
            yield 0.1
            continue
        before = bpy.context.scene.frame_current
        area = ui.area()
        ui.move(area.x + area.width // 3, 500)
        ui.key("Right")
        yield 0.5
        keys += bpy.context.scene.frame_current == before + 1
        _check(time.monotonic() - began < 1500, "the run does not end")
    timings = controller.timings()
    waiting, building = (timings.longest(building=whether) for whether in (False, True))
    ui.log(
        f"FIGURES {time.monotonic() - began:.1f} s, {len(timings.calls)} calls; the longest: "
        f"{waiting.work * 1000:.1f} ms of work in {waiting.seconds * 1000:.1f} ms while the worker ran, "
        f"{building.work * 1000:.1f} in {building.seconds * 1000:.1f} ms building ({building.stage}), "
        f"{timings.undo * 1000:.1f} Blender's undo step; "
        f"{keys} keys, {len(set(fractions))} places of the bar"
    )
    ui.log("WAITING", [round(call.work * 1000, 1) for call in sorted(timings.calls, key=lambda c: -c.work)[:12]])
    message = controller.session().message
    _check(message is None or message.kind != "ERROR", f"the run failed: {message}")
    _check(waiting.work < WAITING_LIMIT, f"a call while the worker ran: {waiting}")
    _check(building.work < BUILDING_LIMIT, f"a slice: {building}")
    _check(len(set(fractions)) > 5 and fractions == sorted(fractions), f"the bar moved like this: {fractions}")
    _check(keys > 3, f"{keys} keys arrived while it ran")


def _undo_and_redo(photos: int) -> Iterator[Any]:
    """Real keys: one undo takes the capture away, one redo brings it back."""
    cameras = len([thing for thing in bpy.data.objects if thing.type == "CAMERA"])
    _check(cameras == photos, f"{cameras} of {photos} cameras")
    ui.shading("SOLID")  # in material preview Blender 5.2.2 itself ends at an undo of large meshes, ours or not
    area = ui.area()
    ui.move(area.x + area.width // 3, 500)
    yield 2.0
    ui.key("ctrl+z")
    yield 2.0
    _check(
        not bpy.context.scene.objects, f"after one undo there are {[thing.name for thing in bpy.context.scene.objects]}"
    )
    ui.key("ctrl+shift+z")
    yield 2.0
    again = len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"])
    _check(again == cameras, f"after one redo there are {again} of {cameras} cameras")


def _error(controller: Any) -> Iterator[Any]:
    """One photo alone cannot be reconstructed by the built-in engine: a sentence says so."""
    properties = bpy.context.scene.vggt
    properties.engine = "sfm"
    ui.shading("MATERIAL")
    for photo in list(properties.photos)[1:]:
        photo.use = False
    with ui.override():
        bpy.ops.vggt.reconstruct()
    yield ui.wait(lambda: not controller.busy(), limit=60)
    message = controller.session().message
    _check(message is not None and message.kind == "ERROR", f"no error was told but {message}")
    yield 1.0
    yield ui.shot("error-{v}.png")
    yield ui.shot("error-sidebar-{v}.png", crop="sidebar")


def _check(right: bool, sentence: str) -> None:
    if not right:
        ui.fail(sentence)
