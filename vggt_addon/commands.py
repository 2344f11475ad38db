"""What each command of the command line does.

This module imports nothing beyond the standard library and numpy; engines, photos and scene (and with it bpy) only
inside the functions that need them.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .console import Console
from .engines.base import EngineSettings
from .errors import Cancelled, OutputExistsError, UserError
from .formats.cameras_json import write_cameras_json
from .formats.ply import write_ply
from .pipeline import PipelineSettings, choose_engine, reconstruct
from .postprocess.apply import PostprocessSettings
from .progress import Progress, check, span
from .reconstruction import Reconstruction

if TYPE_CHECKING:
    from .scene.build import BuiltCapture

EXPORTERS: dict[str, Callable[[Reconstruction, Path], object]] = {
    "cameras-json": write_cameras_json,
    "ply": write_ply,
}


def import_photos(options: argparse.Namespace, console: Console) -> None:
    """Photos to a .blend with its capture folder beside it, and pictures of the scene if asked for."""
    output = _blend(options.output)
    capture = output.with_name(f"{output.stem}.capture")
    _refuse_existing([output, capture, options.preview, options.overlay], options.force)
    with _restored_on_failure(capture, console):
        reconstruction = _reconstruct_into(capture, options, console, span(console.progress, 0.0, 0.85))
        built = _build_into(output, reconstruction, options, console, span(console.progress, 0.85, 0.93))
    _render_pictures(built, reconstruction, options, span(console.progress, 0.93, 1.0))
    _report(reconstruction, console)
    console.result(
        f"The scene is in {output}, its capture in {capture}.",
        scene=str(output),
        capture=str(capture),
        photos_placed=len(reconstruction.views),
    )


def reconstruct_photos(options: argparse.Namespace, console: Console) -> None:
    """Photos to a capture folder; needs no Blender."""
    folder: Path = options.output
    _refuse_existing([folder], options.force)
    reconstruction = _reconstruct_into(folder, options, console, console.progress)
    _report(reconstruction, console)
    console.result(f"The capture is in {folder}.", capture=str(folder), photos_placed=len(reconstruction.views))


def build_scene(options: argparse.Namespace, console: Console) -> None:
    """A capture folder to a .blend; needs no engine."""
    output = _blend(options.output)
    _refuse_existing([output, options.preview, options.overlay], options.force)
    reconstruction = Reconstruction.load(options.capture)
    built = _build_into(output, reconstruction, options, console, span(console.progress, 0.0, 0.5))
    _render_pictures(built, reconstruction, options, span(console.progress, 0.5, 1.0))
    console.result(f"The scene is in {output}.", scene=str(output))


def export(options: argparse.Namespace, console: Console) -> None:
    """A capture folder to another program's file."""
    _refuse_existing([options.output], options.force)
    EXPORTERS[options.format](Reconstruction.load(options.capture), options.output)
    console.result(f"The {options.format} export is in {options.output}.", output=str(options.output))


def _reconstruct_into(
    folder: Path, options: argparse.Namespace, console: Console, progress: Progress
) -> Reconstruction:
    """Run the pipeline and save; the Reconstruction comes back as loaded, so its pictures lie in the saved folder."""
    settings = PipelineSettings(
        engine=options.engine,
        engine_settings=EngineSettings(
            seed=options.seed, depth_size=options.depth_size, sequence=options.sequence, threads=options.threads
        ),
        postprocess=PostprocessSettings(point_budget=options.points),
    )
    choice = choose_engine(options.engine)
    console.say(f"Engine: {choice.name} ({choice.reason}).")
    with tempfile.TemporaryDirectory(prefix="vggt_addon-") as workspace:
        reconstruction = reconstruct(options.photos, Path(workspace), settings, progress, console.cancel)
        check(console.cancel)
        reconstruction.save(folder, overwrite=options.force)
    return Reconstruction.load(folder)


def _build_into(
    output: Path, reconstruction: Reconstruction, options: argparse.Namespace, console: Console, progress: Progress
) -> "BuiltCapture":
    """Build in a fresh Blender and save. Raises UserError where Blender is not to be had."""
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
        settings=BuildSettings(name=name, pack=options.pack),
        progress=span(progress, 0.0, 0.8),
        cancel=console.cancel,
    )
    for warning in built.warnings:
        console.warn(warning)
    check(console.cancel)
    progress("Saving the scene", 0.8)
    save_blend(output, pack=options.pack)
    return built


def _render_pictures(
    built: "BuiltCapture", reconstruction: Reconstruction, options: argparse.Namespace, progress: Progress
) -> None:
    """What was asked for with --preview and --overlay."""
    from .scene.preview import render_overlay, render_preview

    if options.preview:
        progress("Rendering the preview", 0.0)
        render_preview(built, options.preview)
    if options.overlay:
        progress("Rendering the overlay", 0.6)
        render_overlay(built, reconstruction.views[reconstruction.reference].name, options.overlay)
    progress("Done", 1.0)


def _report(reconstruction: Reconstruction, console: Console) -> None:
    """What the artist should know of the result."""
    for photo in reconstruction.left_out:
        console.warn(f"{photo.name} was left out. {photo.reason}")
    for warning in reconstruction.warnings:
        console.warn(warning)
    error = reconstruction.report.get("reprojection_error")
    placed = len(reconstruction.views)
    facts = [f"{placed} of {placed + len(reconstruction.left_out)} photos placed"]
    if isinstance(error, float):
        facts.append(f"reprojection error {error:.2f} px")
    if reconstruction.points is not None:
        facts.append(f"{len(reconstruction.points.position):,} points")
    console.say(", ".join(facts) + ".")


def _blend(path: Path) -> Path:
    if path.suffix.lower() != ".blend":
        raise UserError(f"{path} is no name for a scene: it should end in .blend.")
    return path.absolute()


def _refuse_existing(paths: list[Path | None], force: bool) -> None:
    for path in paths:
        if path is not None and path.exists() and not force:
            raise OutputExistsError(f"{path} already exists: choose another name, or overwrite it with --force.")


@contextmanager
def _restored_on_failure(folder: Path, console: Console) -> Iterator[None]:
    """If what follows fails, `folder` is again as it was; a new capture is kept unless the artist cancelled."""
    if not folder.exists():
        try:
            yield
        except (Cancelled, KeyboardInterrupt):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except UserError:
            if folder.exists():
                console.warn(f"The reconstruction itself is complete and kept in {folder}.")
            raise
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    shutil.copytree(folder, aside / "old", copy_function=_link_or_copy)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(aside / "old", folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> None:
    """A second name for the same bytes where the disk can do that: captures are large and never changed in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
