"""A Blender of its own that reconstructs photos: blender_session.py PHOTO_FOLDER END

END is "finish" (wait for the scene), or "quit" (leave in the middle, as when the window is closed). It prints what a
test waits for: the worker's process id, then "running", at last the number of cameras.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
if profile := os.environ.get("VGGT_ADDON_TEST_PROFILE", ""):  # the installed extension is what is tested
    from tests.distribution import installed_suite

    installed_suite.enter(Path(profile))
    installed_suite.keep_wheels()

import bpy

from vggt_addon import registration
from vggt_addon.ui import controller


def pump(seconds: float = 0.05) -> None:
    """Let the timer come by."""
    controller.tick()
    time.sleep(seconds)


folder, end = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
registration.register()
bpy.ops.vggt.add_folder(directory=folder)
properties = bpy.context.scene.vggt
properties.engine, properties.depth_size, properties.point_budget = "sfm", 128, 5000
while controller.session().runner.hello is None:
    pump()
print(controller.session().runner.hello.process, flush=True)
bpy.ops.vggt.reconstruct()
while controller.busy() and controller.stage().fraction < 0.15:
    pump()
print("running", flush=True)
while end != "quit" and controller.busy():
    pump()
if end == "quit":
    registration.unregister()  # what Blender itself does for every add-on when its window is closed
else:
    print(len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"]), flush=True)
    print(controller.session().message, flush=True)
    registration.unregister()
sys.stdout.flush()
os._exit(0)  # without Blender's own end: the 4.2 wheel's is a crash, after panels that were registered and taken back
