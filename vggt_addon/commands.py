"""What each command of the command line does.

This module imports nothing beyond the standard library and numpy; engines, photos and scene (and with it bpy) only
inside the functions that need them.
"""

import argparse
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .console import Console
from .engine_options import engine_settings
from .engines.states import engine_states
from .errors import Cancelled, OutputExistsError, UserError
from .formats.cameras_json import depth_folder, write_cameras_json
from .formats.matches_npz import write_matches_npz
from .formats.ply import write_ply
from .jobs.in_use import hold
from .outputs import check_outputs
from .pipeline import EngineChoice, plan, reconstruct
from .pipeline import add_photos as place_photos
from .progress import Progress, check, span
from .reconstruction import Reconstruction
from .reconstruction_files import FILE_NAME, is_replaceable
from .replacing import replaced_folder
from .settings import EngineSettings, RunSettings

if TYPE_CHECKING:
    from .scene.build import BuiltCapture

EXPORTERS: dict[str, Callable[[Reconstruction, Path], object]] = {
    "cameras-json": write_cameras_json,
    "matches-npz": write_matches_npz,
    "ply": write_ply,
}


def import_photos(options: argparse.Namespace, console: Console) -> None:
    """Photos to a .blend with its capture folder beside it, and pictures of the scene if asked for."""
    output = _blend(options.output)
    capture = output.with_name(f"{output.stem}.capture")
    files = [output, options.preview, options.overlay]
    check_outputs(files, capture, force=options.force, inputs=_photos(options))
    with (
        _reconstructed(options, console, span(console.progress, 0.0, 0.85)) as made,
        _saved_aside(made, capture, console) as aside,
    ):
        reconstruction = Reconstruction.load(aside)
        progress = span(console.progress, 0.85, 0.93)
        built = _build_into(output, reconstruction, options, console, progress, (aside, capture))
    _report(reconstruction, console)
    _render_pictures(built, reconstruction, output, options, console, span(console.progress, 0.93, 1.0))
    console.result(
        f"The scene is in {output}, its capture in {capture}.",
        scene=str(output),
        capture=str(capture),
        photos_placed=len(reconstruction.views),
    )


def reconstruct_photos(options: argparse.Namespace, console: Console) -> None:
    """Photos to a capture folder; needs no Blender."""
    folder: Path = options.output
    check_outputs([], folder, force=options.force, inputs=_photos(options))
    with _reconstructed(options, console, console.progress) as reconstruction:
        reconstruction.save(folder, overwrite=options.force)
    _report(reconstruction, console)
    console.result(f"The capture is in {folder}.", capture=str(folder), photos_placed=len(reconstruction.views))


def add_photos(options: argparse.Namespace, console: Console) -> None:
    """A capture folder and more photos to a capture folder with both; needs no Blender."""
    folder: Path = options.output
    capture = Reconstruction.load(options.capture)
    if not capture.views:
        raise UserError(f"The capture {options.capture} holds no photos: there is nothing to add to.")
    check_outputs([], folder, force=options.force, inputs=[*_files(capture, options.capture), *_photos(options)])
    settings = RunSettings(
        engine_settings=EngineSettings(texture_size=options.texture_size, threads=options.threads),
        frames_per_clip=options.frames,
    )
    with hold(Path(sys.prefix)), tempfile.TemporaryDirectory(prefix="vggt_addon-") as workspace:
        made = place_photos(capture, options.photos, Path(workspace), settings, console.progress, console.cancel)
        check(console.cancel)
        made.save(folder, overwrite=options.force)
    _report(made, console)
    added = len(made.views) - len(capture.views)
    console.result(
        f"The capture with {added} more {'photo' if added == 1 else 'photos'} is in {folder}.",
        capture=str(folder),
        photos_added=added,
        photos_placed=len(made.views),
    )


def plan_run(options: argparse.Namespace, console: Console) -> None:
    """What `import` or `reconstruct` would take for the same photos and options; makes nothing."""
    made = plan(options.photos, _run_settings(options), console.cancel)
    console.say(f"Engine: {made.engine} ({made.reason.rstrip('.')}).")
    (state,) = (state for state in engine_states(engine_settings(options).network) if state.name == made.engine)
    if not state.ready:
        console.warn(state.needs)
    figures = {name: value for name, value in asdict(made).items() if name not in ("sentence", "reason")}
    console.result(made.sentence, **figures)


def build_scene(options: argparse.Namespace, console: Console) -> None:
    """A capture folder to a .blend; needs no engine."""
    output = _blend(options.output)
    reconstruction = Reconstruction.load(options.capture)
    if not reconstruction.views:
        raise UserError(f"The capture {options.capture} holds no photos: there is nothing to build.")
    files = [output, options.preview, options.overlay]
    check_outputs(files, force=options.force, inputs=_files(reconstruction, options.capture))
    built = _build_into(output, reconstruction, options, console, span(console.progress, 0.0, 0.5))
    _render_pictures(built, reconstruction, output, options, console, span(console.progress, 0.5, 1.0))
    console.result(f"The scene is in {output}.", scene=str(output))


def export(options: argparse.Namespace, console: Console) -> None:
    """A capture folder to another program's file."""
    reconstruction = Reconstruction.load(options.capture)
    files = [options.output]
    check_outputs(files, force=options.force, inputs=_files(reconstruction, options.capture))
    if options.format == "cameras-json" and depth_folder(options.output).exists() and not options.force:
        folder = depth_folder(options.output)
        raise OutputExistsError(f"{folder} already exists: choose another name, or overwrite it with --force.")
    EXPORTERS[options.format](reconstruction, options.output)
    console.result(f"The {options.format} export is in {options.output}.", output=str(options.output))


def _photos(options: argparse.Namespace) -> list[Path]:
    """The photos that the command is about to read."""
    from .photos.files import find_photos

    return find_photos(options.photos)


def _files(reconstruction: Reconstruction, capture: Path) -> list[Path]:
    """What a capture consists of, and the photos that it shows."""
    photos = [path for view in reconstruction.views for path in (view.original, view.photo)]
    return [capture / FILE_NAME, *(capture / "arrays").glob("*"), *photos]


@contextmanager
def _reconstructed(options: argparse.Namespace, console: Console, progress: Progress) -> Iterator[Reconstruction]:
    """What the pipeline makes of the photos; the pictures that it made are there until the body ends."""

    def on_choice(choice: EngineChoice) -> None:
        console.say(f"Engine: {choice.name} ({choice.reason.rstrip('.')}).")

    with hold(Path(sys.prefix)), tempfile.TemporaryDirectory(prefix="vggt_addon-") as workspace:
        reconstruction = reconstruct(
            options.photos, Path(workspace), _run_settings(options), progress, console.cancel, on_choice
        )
        check(console.cancel)
        yield reconstruction


def _run_settings(options: argparse.Namespace) -> RunSettings:
    return RunSettings(
        engine=options.engine,
        engine_settings=engine_settings(options),
        point_budget=options.points,
        frames_per_clip=options.frames,
    )


def _build_into(
    output: Path,
    reconstruction: Reconstruction,
    options: argparse.Namespace,
    console: Console,
    progress: Progress,
    moved: tuple[Path, Path] | None = None,
) -> "BuiltCapture":
    """Build in a fresh Blender and save; with `moved`, that folder takes its name in the moment in which the file does.

    Raises UserError where Blender is not to be had, or the folder's name is taken by now.
    """
    try:
        import bpy  # noqa: F401 - whether Blender is there is what is asked
    except ImportError as error:
        raise UserError(
            "Building a scene needs Blender as a Python module: install bpy, or open the capture in Blender.",
            repr(error),
        ) from error
    from .scene.build import BuildSettings, build
    from .scene.save import new_file, save_blend

    console.catch_signals()
    new_file()
    name = output.stem
    built = build(
        reconstruction,
        settings=BuildSettings(name=name),
        progress=span(progress, 0.0, 0.8),
        cancel=console.cancel,
    )
    for warning in built.warnings:
        console.warn(warning)
    check(console.cancel)
    progress("Saving the scene", 0.8)
    together = _taking_its_name(*moved, force=options.force) if moved else None
    save_blend(output, pack=options.pack, moved=moved, together=together)
    return built


def _render_pictures(
    built: "BuiltCapture",
    reconstruction: Reconstruction,
    scene: Path,
    options: argparse.Namespace,
    console: Console,
    progress: Progress,
) -> None:
    """What was asked for with --preview and --overlay of the finished `scene`."""
    from .scene.preview import render_overlay, render_preview

    try:
        if options.preview:
            progress("Rendering the preview", 0.0)
            render_preview(built, options.preview)
        if options.overlay:
            check(console.cancel)
            progress("Rendering the overlay", 0.6)
            render_overlay(built, reconstruction.views[reconstruction.reference].name, options.overlay)
    except BaseException:
        console.warn(f"The scene itself is complete: {scene}.")
        raise
    progress("Done", 1.0)


def _report(reconstruction: Reconstruction, console: Console) -> None:
    """What the artist should know of the result."""
    for photo in reconstruction.left_out:
        console.warn(f"{photo.name} was left out. {photo.reason}")
    for warning in reconstruction.warnings:
        console.warn(warning)
    error = reconstruction.report.get("reprojection_error")
    placed = len(reconstruction.views)
    masked = sum(view.mask is not None for view in reconstruction.views)
    counted = f"{placed} of {placed + len(reconstruction.left_out)} photos placed"
    facts = [f"{counted}, {masked} of them masked" if masked else counted]
    if isinstance(error, float):
        facts.append(f"reprojection error {error:.2f} px")
    if reconstruction.points is not None:
        facts.append(f"{len(reconstruction.points.position):,} points")
    console.say(", ".join(facts) + ".")


def _blend(path: Path) -> Path:
    if path.suffix.lower() != ".blend":
        raise UserError(f"{path} is no name for a scene: it should end in .blend.")
    return path.absolute()


@contextmanager
def _saved_aside(made: Reconstruction, folder: Path, console: Console) -> Iterator[Path]:
    """A hidden folder beside `folder` with `made` in it, until the body has given it its name or failed.

    So whatever happens, `folder` holds the older capture or the new one, and fits the scene beside it. Where there was
    no older one and the body fails, the new one is kept under its name, unless the artist cancelled.
    """
    aside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")  # as deep: references in it are relative
    try:
        made.save(aside)
        yield aside
    except Exception as error:
        if aside.exists() and not folder.exists() and not isinstance(error, Cancelled):
            os.replace(aside, folder)
            console.warn(f"The reconstruction itself is complete and kept in {folder}.")
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _taking_its_name(aside: Path, folder: Path, *, force: bool) -> Iterator[None]:
    """Within, the capture in `aside` has the name `folder`; see `replaced_folder`."""
    if folder.exists() and not (force and is_replaceable(folder)):  # made by another run meanwhile
        raise OutputExistsError(f"{folder} was made by another run meanwhile: choose another name.")
    with replaced_folder(aside, folder):
        yield
