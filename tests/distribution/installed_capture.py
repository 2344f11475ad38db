"""The installed extension reconstructs photos through its own worker and its own wheels, with the network cut.

    python tests/distribution/installed_capture.py ZIP PROFILE PHOTOS   (a Python with bpy, in a clean profile)
    blender -b --python tests/distribution/installed_capture.py -- PHOTOS         (a Blender that it is installed in)

Prints one line of figures, and ends with 1 where something is not as it should be.
"""

import os
import platform
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.distribution import clean_profile  # noqa: E402 - the path comes first

FOREIGN = ("torch", "pycolmap", "cv2", "PIL", "av")
LIMIT = 3600.0  # seconds, on a machine that has other things to do


def main() -> None:
    """As the module says."""
    began = time.monotonic()
    if "bpy" in sys.modules:
        bpy: Any = sys.modules["bpy"]
        (photos,) = sys.argv[sys.argv.index("--") + 1 :]
    else:
        archive, profile, photos = sys.argv[1:]
        bpy = clean_profile.use(Path(profile))
        clean_profile.install(bpy, Path(archive))
    installed = time.monotonic() - began
    check(clean_profile.MODULE in bpy.context.preferences.addons, "the extension is not enabled")
    check(not reaches_the_network(), "the network is not cut")
    controller = clean_profile.part("ui.controller")
    wait = time.monotonic()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.vggt.add_folder(directory=f"{photos}/")
    listed = len(bpy.context.scene.vggt.photos)
    pump(controller, lambda: controller.session().runner.hello is not None)
    hello = controller.session().runner.hello
    ready = [engine.name for engine in hello.engines if engine.ready]
    check(ready == ["sfm"], f"ready are {ready}: {[engine.needs for engine in hello.engines]}")
    bpy.context.scene.vggt.engine = "sfm"
    bpy.ops.vggt.reconstruct()
    libraries: set[str] = set()

    def done() -> bool:
        libraries.update(loaded(hello.process))
        return not controller.busy()

    pump(controller, done)
    message = controller.session().message
    check(message is None or message.kind != "ERROR", f"{message}")
    cameras = len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"])
    check(cameras == listed > 2, f"{cameras} cameras of {listed} photos")
    check_libraries(bpy, libraries)
    foreign = [name for name in FOREIGN if name in sys.modules]
    check(not foreign, f"Blender's process holds {foreign}")
    print(
        f"INSTALLED {bpy.app.version_string}, Python {platform.python_version()}: {installed:.1f} s to install, "
        f"{cameras} cameras in {time.monotonic() - wait:.0f} s; the worker is Python {hello.python}",
        flush=True,
    )


def check(right: bool, sentence: str) -> None:
    """End with the sentence where it is not right."""
    if not right:
        print(f"NOT RIGHT: {sentence}", flush=True)
        os._exit(1)


def pump(controller: ModuleType, done: Callable[[], object]) -> None:
    """Call the timer as Blender does until `done()`."""
    end = time.monotonic() + LIMIT
    while not done():
        check(time.monotonic() < end, f"it does not end: {controller.stage()}")
        controller.tick()
        time.sleep(0.05)


def reaches_the_network() -> bool:
    """Whether there is any way out of this machine: a route to an address that is nobody's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
    return True


def loaded(worker: int) -> set[str]:
    """The files of compiled libraries that the worker and the camera solver have in memory (Linux)."""
    found: set[str] = set()
    for process in (worker, *children(worker)):
        try:
            lines = Path(f"/proc/{process}/maps").read_text().splitlines()
        except OSError:  # it has ended meanwhile
            continue
        found |= {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
    return found


def children(process: int) -> list[int]:
    """Those that a process has started."""
    found: list[int] = []
    for entry in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, entry.read_text().split())
        except OSError:
            continue
    return found


def check_libraries(bpy: Any, libraries: set[str]) -> None:
    """Ours come out of the folder that Blender has unpacked, and numpy does not."""
    unpacked = Path(bpy.utils.user_resource("EXTENSIONS"), ".local")
    for name in ("pycolmap", "cv2", "PIL"):
        places = {path for path in libraries if f"/{name}/" in path}
        check(bool(places), f"{name} was never loaded")
        check(all(Path(path).is_relative_to(unpacked) for path in places), f"{name} came from {sorted(places)[:1]}")
    numpy = {path for path in libraries if "/numpy/" in path}
    check(bool(numpy), "numpy was never loaded")
    check(not any(Path(path).is_relative_to(unpacked) for path in numpy), f"numpy came from {sorted(numpy)[:1]}")


main()
sys.stdout.flush()
os._exit(0)  # without Blender's own end: the 4.2 wheel's is a crash
