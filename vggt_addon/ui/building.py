"""From a finished job's folder to the scene: brought home and read in a thread, then built in slices.

This module imports bpy beyond the standard library; the room scene, and numpy with it, only when it is needed.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..errors import UserError
from .homes import homes as homes_of
from .session import ActiveRun

if TYPE_CHECKING:
    from ..reconstruction import Reconstruction
    from ..scene.parts import BuiltCapture, Steps
    from ..scene.prepare import Prepared

logger = logging.getLogger(__name__)
BEFORE, SHARE = 0.95, 0.05  # of the bar: what the worker did, and what building is


class Building:
    """One capture on its way into a scene.

    `result` is the folder that holds it; with `homes`, which the thread asks, it is brought to one first. `ours`: it is
    to come along when the .blend is saved. `scene`, and `replace`, the root whose place it takes (0: none), are told by
    their `session_uid`, which undo and renaming leave as it is. `extends`: what is new of it is added to that root,
    which is where the world's `world_origin` (3,) is. Nothing stands in the scene before the last slice, and
    that is one undo step.
    """

    def __init__(
        self,
        result: Path,
        homes: Callable[[], list[Path]] | None,
        name: str,
        scene: int,
        *,
        ours: bool = True,
        replace: int = 0,
        extends: bool = False,
        world_origin: Sequence[float] | None = None,
    ) -> None:
        self.folder, self._homes, self._name, self._scene = result, homes, name, scene
        self._ours, self._replace = ours, replace
        self._extends, self._world_origin = extends, world_origin
        self._reconstruction: Reconstruction | None = None
        self._prepared: Prepared | None = None
        self._error: Exception | None = None
        self._given_up = False
        self._steps: Steps | None = None
        self._stage, self._fraction = "Reading the result", 0.0
        self._longest = 0.0  # seconds of a slice
        self.undo_work = 0.0  # seconds that Blender took for the undo step
        self.warnings: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._read, name="vggt_addon result", daemon=True)
        self._thread.start()

    @property
    def loading(self) -> bool:
        """Whether the files are still being read."""
        return self._thread.is_alive()

    @property
    def stage(self) -> tuple[str, float]:
        """What is being done, and the share of the whole run that is done."""
        return self._stage, BEFORE + SHARE * self._fraction

    def advance(self, seconds: float) -> bool:
        """Build for about `seconds`, one slice at the least; True when the capture stands in the scene.

        Raises UserError where it cannot be built; then nothing of it is in the scene.
        """
        if self.loading:
            return False
        if self._error is not None:
            raise _told(self._error) from self._error
        if bpy.app.is_job_running("RENDER"):  # which reads the scene meanwhile
            self._stage = "Ready: the scene is added when the rendering has ended"
            return False
        if not self._may_link():
            self._stage = "Ready: leave the mode you are in, so that the scene can be added"
            return False
        if self._steps is None:
            self._steps = self._begin()
        began = time.perf_counter()
        while True:
            start = time.perf_counter()
            try:
                self._stage, self._fraction = next(self._steps)
            except StopIteration as finished:
                self._finish(finished.value)
                return True
            now = time.perf_counter()
            self._longest = max(self._longest, now - start)
            if now - began + self._longest > seconds:  # another like the longest would be too much
                return False

    def interrupt(self) -> None:
        """Every datablock is about to be replaced (undo, another file): start over at the next `advance`."""
        if self._steps is not None:
            self._steps.close()
            self._steps, self._fraction = None, 0.0

    def give_up(self) -> Path | None:
        """Leave nothing in the scene; where the capture lies that was to be built, None if it is not there yet."""
        self._given_up = True
        self.interrupt()
        return self.folder if self._reconstruction is not None else None

    def wait(self, seconds: float | None = None) -> None:
        """Until no file of the result is read any more, or `seconds` have passed."""
        self._thread.join(seconds)

    def _read(self) -> None:
        """In the thread: no bpy."""
        try:
            # With numpy, importing takes longer than one of our calls may take: so it is done here.
            import numpy as np

            from ..reconstruction import Reconstruction
            from ..scene import build, captures, keep  # noqa: F401
            from ..scene.prepare import prepare

            if self._homes is not None:
                self.folder = bring_home(self.folder, self._homes())
                if self._given_up:  # nobody was told of the copy
                    shutil.rmtree(self.folder, ignore_errors=True)
                    return
            reconstruction = Reconstruction.load(self.folder)
            origin = None if self._world_origin is None else np.array(self._world_origin, np.float64)
            self._prepared = prepare(reconstruction, origin)
            self._reconstruction = reconstruction
        except Exception as error:  # told by `advance`, on the main thread
            self._error = error

    def _begin(self) -> "Steps":
        from ..scene.build import BuildSettings, build_steps

        scene = _known(bpy.data.scenes, self._scene) or bpy.context.scene
        root = _known(bpy.data.objects, self._replace) if self._replace else None
        if root is not None:
            from ..scene.captures import extend_steps, rebuild_steps

            steps = extend_steps if self._extends else rebuild_steps
            return steps(root, self._reconstruction, prepared=self._prepared)
        self._replace = 0  # it was removed meanwhile: the capture is built afresh
        settings = BuildSettings(name=self._name)
        return build_steps(self._reconstruction, scene, settings=settings, prepared=self._prepared)

    def _finish(self, built: "BuiltCapture") -> None:
        from ..scene import keep

        if self._homes is not None or not self._replace:
            keep.adopt(self.folder, built.root, ours=self._ours)
        self.warnings = built.warnings
        photos = len(self._reconstruction.views)
        began = time.thread_time()
        again = "Add Photos to Capture" if self._extends else "Rebuild Capture"
        push_undo(again if self._replace else f"Reconstruct {photos} Photos")
        self.undo_work = time.thread_time() - began

    def _may_link(self) -> bool:
        """Objects can be added, and undone as one step, in object mode alone."""
        actives = [window.view_layer.objects.active for window in _windows()]
        return all(active is None or active.mode == "OBJECT" for active in actives)


def begin_building(result: Path, run: ActiveRun) -> Building:
    """What the worker made of a run, from where it lies. Raises UserError."""
    root = _known(bpy.data.objects, run.root) if run.root else None
    there = homes_of(run.name)
    if root is None:  # none was named, or it was removed meanwhile
        return Building(result, there, run.name, run.scene)
    from ..scene.root import world_origin

    origin = world_origin(root)  # without it, what stands cannot be added to, and is built anew
    return Building(
        result, there, run.name, run.scene, replace=run.root, extends=origin is not None, world_origin=origin
    )


def push_undo(name: str) -> None:
    """One undo step for all that was done since the last."""
    windows = _windows()
    if not windows:  # in the background
        bpy.ops.ed.undo_push(message=name)
        return
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message=name)


def bring_home(folder: Path, homes: list[Path]) -> Path:
    """Copy the capture in `folder` to the first of `homes` that can be written, or to a free name like it.

    Files are hard links, where the disk has them. Raises UserError.
    """
    from ..scene.folders import copy_capture

    for home in homes:
        number, place = 1, home
        while os.path.lexists(place):
            number += 1
            place = home.with_name(f"{home.name} {number}")
        try:
            return copy_capture(folder, place, link_pictures=True)
        except OSError as error:
            logger.warning("a capture cannot be written to %s: %r", place, error)
            failed = UserError(
                f"The capture could not be written to {place}: {error.strerror or error}. It is kept in {folder}.",
                repr(error),
            )
    raise failed


def _known(datablocks: Iterable[Any], session_uid: int) -> Any:
    """The one of them that has this `session_uid`; None where it was removed."""
    return next((one for one in datablocks if one.session_uid == session_uid), None)


def _windows() -> list[bpy.types.Window]:
    return [window for manager in bpy.data.window_managers for window in manager.windows]


def _told(error: Exception) -> UserError:
    """What went wrong in the thread, as a sentence."""
    if isinstance(error, UserError):
        return error
    return UserError("The result could not be read: the log has the details.", repr(error))
