"""A Reconstruction becomes one tidy capture in a Blender scene.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbours errors,
progress and reconstruction.
"""

from contextlib import closing
from dataclasses import replace

import bpy

from ..errors import UserError
from ..progress import Cancel, Progress, check, never, no_progress
from ..reconstruction import Reconstruction
from . import viewports
from .cameras import look_through
from .datablocks import Unfinished
from .parts import BuildSettings, BuiltCapture, Steps, parts_steps
from .prepare import Prepared, prepare
from .summary import write_summary

__all__ = ["BuildSettings", "BuiltCapture", "build", "build_steps"]
DEFAULTS = BuildSettings()
VIEW_TRANSFORM = "Standard"  # the one that shows a photo's colours as they are


def build(
    reconstruction: Reconstruction,
    scene: bpy.types.Scene | None = None,
    *,
    settings: BuildSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> BuiltCapture:
    """Build `reconstruction` in `scene` (default: the current one) as a collection of its own.

    An empty scene also gets the Standard view transform and starts at the reference view, at its photo's size; a scene
    with content keeps its settings, and a warning says what follows. After an error, or `Cancelled`, nothing is left.
    """
    scene = scene or bpy.context.scene
    check(cancel)
    with closing(build_steps(reconstruction, scene, settings=settings)) as steps:
        built = run_to_the_end(steps, progress, cancel)
    for layer in scene.view_layers:
        layer.update()  # so that matrix_world holds for whoever asks next
    progress("Scene", 1.0)
    return built


def build_steps(
    reconstruction: Reconstruction,
    scene: bpy.types.Scene | None = None,
    *,
    settings: BuildSettings = DEFAULTS,
    prepared: Prepared | None = None,
) -> Steps:
    """The same in slices of less than a tenth of a second, for Blender's main thread while the artist works on.

    Yields (stage, share done, never falling) after each slice. `prepared`, from a thread, spares the first slice.
    Nothing of the capture is in a scene before the last slice, which adds all of it and leaves the evaluation to
    Blender's next redraw. After an error, or when the generator is closed, nothing is left but what the artist has
    made meanwhile. Before an undo, a redo or another file is loaded, close it: no datablock survives these; then
    `datablocks.remove_unfinished` clears away what they brought back. Raises UserError where the artist removed the
    scene or the unused parts (purge) meanwhile.
    """
    scene = scene or bpy.context.scene
    return slices(_steps(reconstruction, scene, settings, prepared))


def slices(steps: Steps) -> Steps:
    """Run `steps`, whose datablocks stay once they are complete; otherwise nothing of them does."""
    unfinished = Unfinished()
    try:
        while True:
            with unfinished.at_work():
                try:
                    told = next(steps)
                except StopIteration as end:
                    unfinished.complete()
                    return end.value
            yield told
    except ReferenceError as error:  # somebody removed what a slice before made, or the scene
        unfinished.remove()
        raise UserError(
            "The capture was not added: while it was being built, its parts or its scene were removed. Build it again.",
            repr(error),
        ) from error
    except BaseException:
        unfinished.remove()
        raise


def run_to_the_end(steps: Steps, progress: Progress = no_progress, cancel: Cancel = never) -> BuiltCapture:
    """All slices at once."""
    while True:
        try:
            stage, fraction = next(steps)
        except StopIteration as end:
            return end.value
        progress(stage, fraction)
        check(cancel)


def _steps(
    reconstruction: Reconstruction, scene: bpy.types.Scene, settings: BuildSettings, prepared: Prepared | None
) -> Steps:
    if prepared is None:
        prepared = prepare(reconstruction)
    built = yield from parts_steps(reconstruction, prepared, settings)
    write_summary(built.root, reconstruction)
    empty = len(scene.objects) == 0
    scene.collection.children.link(built.collection)
    if empty:
        _open_scene(scene, built, reconstruction)
    elif scene.view_settings.view_transform != VIEW_TRANSFORM:
        sentence = (
            f"This scene's view transform is {scene.view_settings.view_transform}, which changes the photos' colours; "
            f"set it to {VIEW_TRANSFORM} under Render Properties > Color Management to see them as they are."
        )
        built = replace(built, warnings=(*built.warnings, sentence))
    return built


def _open_scene(scene: bpy.types.Scene, built: BuiltCapture, reconstruction: Reconstruction) -> None:
    """An empty scene opens on the reference photo, in its own colours."""
    scene.view_settings.view_transform = VIEW_TRANSFORM
    scene.view_settings.look = "None"
    if built.cameras:
        look_through(built.cameras[reconstruction.reference], scene)
        viewports.open_on_camera(scene, built.cameras[reconstruction.reference])
