"""The only place that polls: an app timer that takes in what the worker told and builds what it made.

A timer and no modal operator, because Blender ends modal operators when a file is loaded. Everything here runs on the
main thread. Each call of `tick` is short; `timings` keeps how short.
This module imports bpy beyond the standard library.
"""

import atexit
import logging
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..errors import UserError
from ..jobs.status import JobState
from . import asking, diagnosing, errands, findings, log, places, thumbnails, wording, workers
from .building import Building, begin_building
from .filling import fill_in
from .preferences import preferences
from .redrawing import redraw
from .session import ActiveRun, Session
from .timings import Call, Timings

if TYPE_CHECKING:
    from ..jobs.protocol import Planned
    from ..settings import RunSettings

logger = logging.getLogger(__name__)
TICK_SECONDS = 0.1  # between two looks at the worker
SLICE_SECONDS = 0.05  # of building in one call, at the least one slice
LAST_SECONDS = 1.0  # that Blender, which is quitting, waits for a copy under way
PLAN_AFTER_SECONDS = 0.5  # of quiet: a slider that is dragged asks once


@dataclass(frozen=True)
class Stage:
    """What the bar shows."""

    name: str
    fraction: float  # [0, 1]
    seconds_left: float | None = None


class _State:
    """What there is while the extension is enabled."""

    def __init__(self) -> None:
        self.folder = places.session_folder()
        self.session = Session(workers.make_runner, self.folder)
        self.building: Building | None = None
        self.undo = 0.0  # seconds that the present call's undo step took
        self.built = ""  # the stage that the present call has built at
        self.has_built = False  # a capture was begun in this session, to its end or not
        self.plan_due: float | None = None
        self.planned_scene = 0  # session_uid of the one that the plan is of
        self.asked_for: object = None  # photos and settings of all scenes, as they were last looked at
        self.timings = Timings()


_state: _State | None = None


def start() -> None:
    """Called when the extension is enabled: nothing runs yet."""
    global _state
    _state = _State()
    log.start(places.log_file(create=False), preferences().log_level)
    atexit.register(stop)  # where Blender is a module, nobody disables add-ons at the end


def stop() -> None:
    """Called when the extension is disabled or Blender quits: ends the worker, leaves the scene as it is."""
    global _state
    if _state is None:
        return
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    if _state.building is not None:
        _state.building.give_up()
        _state.building.wait(LAST_SECONDS)
    for background in (errands, diagnosing, findings):
        background.stop()
    _state.session.stop()
    if _state.session.run is not None:
        _remove(_state.session.run.folder)
    thumbnails.clear()
    shutil.rmtree(_state.folder, ignore_errors=True)
    log.stop()
    atexit.unregister(stop)
    _state = None


def session() -> Session:
    """What this Blender session knows."""
    return _get().session


def timings() -> Timings:
    """How long our calls held Blender."""
    return _get().timings


def busy() -> bool:
    """Whether a reconstruction is under way, from the press of the button until its scene stands."""
    state = _get()
    return state.session.run is not None or state.building is not None


def stage() -> Stage:
    """What is being done."""
    state = _get()
    if state.building is not None:
        return Stage(*state.building.stage)
    run = state.session.run
    if run is None:
        return Stage("", 0.0)
    status = run.status
    if status.state is JobState.CANCELLING:
        return Stage("Cancelling", status.fraction)
    name = wording.shown(status.stage) or "Starting the engine"
    return Stage(name, 0.95 * status.fraction, status.seconds_left)


def engine_title(name: str) -> str:
    """What the artist knows the engine called `name` by."""
    return wording.shown(next((engine.title for engine in session().engines if engine.name == name), name))


def planned(scene: bpy.types.Scene) -> "Planned | None":
    """What a run of `scene` would take, where that is known."""
    state = _get()
    return state.session.planned if state.planned_scene == scene.session_uid else None


def photos_changed() -> None:
    """The list of photos of some scene changed: look at new ones, plan anew."""
    state = _get()
    paths = [photo.path for scene in bpy.data.scenes for photo in scene.vggt.photos]
    try:
        state.session.probe(paths)
    except OSError as error:
        sentence = f"The photos cannot be looked at, because nothing can be written to {state.folder}."
        state.session.tell("ERROR", sentence, repr(error))
    settings_changed()


def settings_changed() -> None:
    """What is asked of a run changed: the plan that is shown is of something else."""
    state = _get()
    state.session.forget_plan()
    state.asked_for = asking.asked_for(bpy.data.scenes)
    state.plan_due = time.monotonic() + PLAN_AFTER_SECONDS
    poll()


def worker_changed() -> None:
    """The preferences that the worker is started with changed: the next is started with these."""
    if _state is not None:
        _state.session.renew()
        photos_changed()


def start_run(scene: bpy.types.Scene) -> None:
    """Reconstruct the scene's photos in the background. Raises UserError where it cannot even start."""
    photos = asking.chosen_photos(scene.vggt)
    _start(scene, asking.capture_name(photos), photos, None, 0)


def start_adding(scene: bpy.types.Scene, root: bpy.types.Object, capture: Path, photos: Sequence[str]) -> None:
    """Add photos to the capture of `root`, which lies in the folder `capture`. Raises as `start_run`."""
    _start(scene, root.name, photos, capture, root.session_uid)


def _start(scene: bpy.types.Scene, name: str, photos: Sequence[str], capture: Path | None, root: int) -> None:
    state = _get()
    if errands.changes_runtime():
        raise UserError("The runtime is being changed: wait for that, or cancel it in the preferences.")
    folder, settings = places.job_folder(), _settings(scene)
    state.timings, state.plan_due = Timings(), None
    state.session.start(folder, name, scene.session_uid, photos, settings, capture=capture, root=root)
    poll()


def open_capture(folder: Path, scene: bpy.types.Scene, *, replace: bpy.types.Object | None = None) -> None:
    """Build the capture that lies in `folder`, in place of the one whose root is `replace` if any."""
    state = _get()
    state.timings = Timings()
    state.session.message = None
    ours = folder.is_relative_to(places.user_folder("captures", create=False))
    name = folder.name.removesuffix(".capture")
    state.building = Building(
        folder, None, name, scene.session_uid, ours=ours, replace=0 if replace is None else replace.session_uid
    )
    poll()


def cancel_run() -> None:
    """Stop what is under way; the scene stays as it is."""
    state = _get()
    if state.building is not None:
        kept = _give_up_building(state, state.building)
        if kept is not None:
            state.session.tell("INFO", f"Cancelled. What was reconstructed is kept in {kept}.")
    else:
        state.session.cancel()
    poll()
    redraw()


def _give_up_building(state: _State, building: Building) -> Path | None:
    """Leave nothing of it in the scene; where its capture lies, if it was complete."""
    kept = building.give_up()
    state.building = None
    _end_run(reader=building)
    return kept


def before_undo() -> None:
    """Blender is about to replace all datablocks: what was built so far is gone in a moment."""
    if _state is not None and _state.building is not None:
        _state.building.interrupt()


def after_undo() -> None:
    """Blender replaced all datablocks: the list may be another, and a building begins anew."""
    if _state is not None:
        if _state.has_built:  # else there is nothing of ours that it could bring back
            _clear_away()
        fill_in(_state.session)
        if asking.asked_for(bpy.data.scenes) != _state.asked_for:  # an undo of something else starts no worker
            photos_changed()


def before_load() -> None:
    """Blender is about to open another file: what runs for this one ends."""
    if _state is None or not busy():
        return
    sentence = "Another file was opened, which stopped the reconstruction."
    if _state.building is None:
        _state.session.cancel()
    elif (kept := _give_up_building(_state, _state.building)) is not None:
        sentence += f" Its result is kept in {kept}."
    _state.session.tell("INFO", sentence)


def after_load() -> None:
    """Another file is open."""
    if _state is not None:
        _clear_away()
        fill_in(_state.session)
        _state.session.forget_plan()


def _clear_away() -> None:
    """An undo, a redo or a file (saved by Blender itself during a build) may bring parts of a given-up build back."""
    from ..scene.datablocks import remove_unfinished

    remove_unfinished()


def tick() -> float | None:
    """One call of the timer: seconds until the next, or None where there is nothing left to wait for."""
    if _state is None:
        return None
    state, began, work = _state, time.perf_counter(), time.thread_time()
    state.built = ""
    try:
        return _advance(state)
    except Exception:
        logger.exception("a call of the timer failed")
        state.session.cancel()
        building, state.building = state.building, None
        _end_run(reader=building)
        sentence = "Something went wrong in Blender's part of the extension: the log has the details."
        state.session.tell("ERROR", sentence)
        redraw()
        return TICK_SECONDS
    finally:
        undo, state.undo = state.undo, 0.0
        seconds, work = time.perf_counter() - began, time.thread_time() - work
        state.timings.calls.append(Call(state.built, seconds - undo, work - undo))
        state.timings.undo += undo


def _advance(state: _State) -> float | None:
    changed = state.session.step()
    if changed:
        fill_in(state.session)
    aside = _step_aside()
    run = state.session.run
    if run is not None and state.building is None and run.status.state.ended:
        changed = True
        _after_worker(state, run)
    if state.building is not None:
        changed = True
        _build(state, state.building)
    if state.plan_due is not None and time.monotonic() >= state.plan_due and not busy():
        state.plan_due = None
        _plan()
    if changed or aside:
        redraw()
    if state.building is not None:
        return 0.02 if state.building.loading else 0.0
    return TICK_SECONDS if busy() or state.session.working or state.plan_due is not None or aside else None


def _step_aside() -> bool:
    """What goes on beside reconstructions; True while there is something, or something new of it."""
    going = []
    for step in (errands.step, diagnosing.step, lambda: findings.step(preferences().weights_folder)):
        try:
            going.append(step())
        except Exception:  # what goes wrong there costs no reconstruction
            logger.exception("beside reconstructions")
    return any(going)


def _after_worker(state: _State, run: ActiveRun) -> None:
    """The worker has ended the run in one way or another."""
    status = run.status
    if status.state is JobState.DONE and status.result is not None:
        try:
            state.building = begin_building(status.result, run)
        except UserError as error:
            state.session.tell("ERROR", f"{error.sentence} The capture is kept in {status.result}.", error.detail)
            _end_run(keep=status.result)
        return
    if status.state is JobState.FAILED:
        state.session.tell("ERROR", status.sentence, status.detail)
    _end_run()


def _build(state: _State, building: Building) -> None:
    if not building.loading:
        state.has_built, state.built = True, building.stage[0]
    try:
        finished = building.advance(SLICE_SECONDS)
    except UserError as error:
        state.session.tell("ERROR", error.sentence, error.detail)
        state.building = None
        _end_run(keep=building.folder)
        return
    if finished:
        state.undo = building.undo_work
        for warning in building.warnings:
            logger.warning(warning)
        state.building = None
        _end_run()


def _end_run(keep: Path | None = None, reader: Building | None = None) -> None:
    """The run is over; its folder goes, unless a finished capture at `keep` could not be taken out of it.

    `reader` may still be reading there, and is waited for.
    """
    run, state = session().run, _get()
    state.session.run = None
    state.plan_due = time.monotonic() + PLAN_AFTER_SECONDS
    if run is not None and not (keep is not None and keep.is_relative_to(run.folder)):
        # A thread: pictures of many photos take longer to delete than a call may take.
        threading.Thread(target=_remove, args=(run.folder, reader), daemon=True).start()


def _remove(folder: Path, reader: Building | None = None) -> None:
    if reader is not None:
        reader.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _plan() -> None:
    """Ask for a plan of the scene that is looked at."""
    scene = bpy.context.scene
    if scene is not None:
        settings = _settings(scene)
        _get().planned_scene = scene.session_uid
        session().plan(asking.chosen_photos(scene.vggt), settings)


def _settings(scene: bpy.types.Scene) -> "RunSettings":
    chosen = preferences()
    return asking.run_settings(scene.vggt, chosen.texture_size, chosen.memory_limit)


def poll() -> None:
    """Have `tick` called from now on; in a Blender without windows the script calls it itself."""
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)


def _get() -> _State:
    if _state is None:
        raise RuntimeError("the extension is not enabled")
    return _state
