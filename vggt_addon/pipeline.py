"""Photos to a finished Reconstruction: what the command line and a worker process both call.

This module imports nothing beyond the standard library and numpy; photos and an engine's own modules, which need
libraries, only inside the function that uses them.
"""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .engines import registry
from .engines.base import Engine
from .errors import EngineError
from .photo_names import is_clip
from .postprocess.apply import PostprocessSettings, postprocess
from .postprocess.extend import extend
from .progress import Cancel, Progress, never, no_progress, span
from .reconstruction import Reconstruction, View
from .settings import EngineSettings, RunSettings

if TYPE_CHECKING:
    from .photos.gather import PhotoSet
    from .photos.photo import Photo

logger = logging.getLogger(__name__)
DEFAULTS = RunSettings()
_PHOTOS_SHARE, _CLIPS_SHARE = 0.02, 0.1  # of a run: reading photos, or decoding clips as well
CreateEngine = Callable[[str], Engine]
"""An engine by its name, as `registry.create` makes it; a worker hands out one that it keeps warm."""


@dataclass(frozen=True)
class EngineChoice:
    """Which engine runs, and why, in words for the artist."""

    name: str
    reason: str


@dataclass(frozen=True)
class RunPlan:
    """What a run would take, before it starts."""

    engine: str  # name in the registry
    reason: str  # why this one, in words for the artist
    photos: int  # that can be used
    sentence: str  # see EnginePlan, from which these are
    seconds: float | None  # photos to the finished Reconstruction
    memory: int | None  # bytes
    memory_free: int | None  # bytes
    fits: bool


def choose_engine(name: str, photos: Sequence["Photo"], settings: EngineSettings) -> EngineChoice:
    """What `--engine NAME` comes to on this machine for these photos.

    "auto" is VGGT where its library, its weights and a GPU with enough memory are there, else the embedded engine.
    """
    if name != "auto":
        return EngineChoice(name, "as asked for")
    if importlib.util.find_spec("torch") is None:
        return EngineChoice("sfm", "the embedded engine, which needs neither GPU nor weights")
    from .engines.vggt.readiness import why_not

    reason = why_not(photos, settings)
    if reason:
        return EngineChoice("sfm", f"the embedded engine. {reason}")
    return EngineChoice("vggt", "its weights are there, and the photos fit into the GPU's memory")


def plan(
    inputs: Iterable[str | Path],
    settings: RunSettings = DEFAULTS,
    cancel: Cancel = never,
    create: CreateEngine = registry.create,
) -> RunPlan:
    """What `reconstruct` would take for the same arguments, in seconds and without loading a network.

    That a plan does not fit, or that its weights are not there yet, is no failure. Raises UserError with a sentence
    where no photo can be used or the settings cannot run here, Cancelled on request.
    """
    from .photos.gather import gather

    at_once = settings.engine_settings.threads
    photo_set = gather(inputs, cancel=cancel, at_once=at_once, frames_per_clip=settings.frames_per_clip)
    photos = photo_set.photos
    engine_settings = _named_reference(photo_set, settings.engine_settings, stand_ins=True)
    choice = choose_engine(settings.engine, photos, engine_settings)
    made = create(choice.name).plan(photos, engine_settings, cancel)
    return RunPlan(
        engine=choice.name,
        reason=choice.reason,
        photos=len(photos),
        sentence=made.sentence,
        seconds=made.seconds,
        memory=made.memory,
        memory_free=made.memory_free,
        fits=made.fits,
    )


def reconstruct(
    inputs: Iterable[str | Path],
    workspace: Path,
    settings: RunSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
    on_choice: Callable[[EngineChoice], None] = lambda choice: None,
    create: CreateEngine = registry.create,
) -> Reconstruction:
    """Photos (files, folders, patterns) to a postprocessed Reconstruction.

    `on_choice` is told which engine runs, before it does; `create` makes it.

    `workspace` is an empty folder that outlives the call: pictures that had to be made lie in it until the
    Reconstruction is saved. Raises UserError with a sentence (PhotoError, EngineError), Cancelled on request.
    """
    from .photos.files import find_each
    from .photos.gather import gather

    inputs = list(inputs)
    read = _CLIPS_SHARE if any(map(is_clip, find_each(inputs)[0])) else _PHOTOS_SHARE
    photo_set = gather(
        inputs,
        span(progress, 0.0, read),
        cancel,
        settings.engine_settings.threads,
        frames_per_clip=settings.frames_per_clip,
        folder=workspace / "frames",
    )
    for photo in photo_set.left_out:
        logger.warning("%s was left out. %s", photo.name, photo.reason)
    engine_settings = _named_reference(photo_set, settings.engine_settings)
    choice = choose_engine(settings.engine, photo_set.photos, engine_settings)
    engine = create(choice.name)
    logger.info("engine %s: %s", choice.name, choice.reason)
    on_choice(choice)
    result = engine.reconstruct(photo_set.photos, workspace, engine_settings, span(progress, read, 0.95), cancel)
    names = [view.name for view in result.views]
    result = result.replace(
        left_out=(*photo_set.left_out, *result.left_out),
        warnings=(*photo_set.warnings, *result.warnings),
        report={**result.report, "clips": list(photo_set.clips)} if photo_set.clips else result.report,
        reference=names.index(engine_settings.reference) if engine_settings.reference in names else result.reference,
    )
    return postprocess(
        result, PostprocessSettings(point_budget=settings.point_budget), span(progress, 0.95, 1.0), cancel
    )


def add_photos(
    capture: Reconstruction,
    inputs: Iterable[str | Path],
    workspace: Path,
    settings: RunSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> Reconstruction:
    """`capture`, of any engine, with the photos that `inputs` name (files, folders, patterns) placed in its world.

    What it holds does not move: its views and scene_from_world are kept to the bit. Of `settings` count the frames per
    clip, the threads and the textures' size. `workspace` as in `reconstruct`. Raises UserError with a sentence where
    none can be placed, Cancelled on request.
    """
    from .engines.localisation.add import add_photos as place
    from .photos.gather import gather

    here = {view.identity: view.name for view in capture.views}
    photo_set = gather(
        inputs,
        span(progress, 0.0, _PHOTOS_SHARE),
        cancel,
        settings.engine_settings.threads,
        frames_per_clip=settings.frames_per_clip,
        folder=workspace / "frames",
        taken=here.values(),
    )
    new = [photo for photo in photo_set.photos if photo.identity not in here]
    known = [here[photo.identity] for photo in photo_set.photos if photo.identity in here]
    left_out = list(photo_set.left_out)
    added: tuple[View, ...] = ()
    if new:
        part = span(progress, _PHOTOS_SHARE, 0.9)
        added, nowhere = place(capture, new, workspace, settings.engine_settings, part, cancel)
        left_out += nowhere
    reasons = [f"{name} is in the capture already." for name in known] + [photo.reason for photo in left_out]
    logger.info("added: %s; not added: %s", [view.name for view in added], reasons)
    if not added:
        none = f"None of the {len(reasons)} photos could be added. " if len(reasons) > 1 else ""
        raise EngineError(none + " ".join(reasons[:3]))
    extended = extend(capture, added, span(progress, 0.9, 1.0), cancel)
    told_now = {view.name for view in added} | {photo.name for photo in left_out}
    earlier = [photo for photo in capture.left_out if photo.name not in told_now]
    return extended.replace(
        left_out=(*earlier, *left_out), warnings=tuple(dict.fromkeys((*capture.warnings, *photo_set.warnings)))
    )


def _named_reference(photos: "PhotoSet", settings: EngineSettings, *, stand_ins: bool = False) -> EngineSettings:
    """The settings with the reference by the name that it has in this run; the first where it was left out.

    A clip stands for its first frame. Of frames that are `stand_ins` for a plan nobody knows the names, and which is
    the reference costs nothing. Raises EngineError where it was never among the photos.
    """
    asked = settings.reference
    frames = [photo for photo in photos.photos if photo.frame is not None]
    named = [photo.name for photo in photos.photos if asked == photo.name or Path(asked).absolute() == photo.original]
    named += [photo.name for photo in frames if asked == photo.original.name]
    left_out = any(photo.name == Path(asked).name for photo in photos.left_out)
    if asked and not named and not left_out and not (stand_ins and frames):
        raise EngineError(f"The reference {asked} is not among the photos: give the file name of one of them.")
    return replace(settings, reference=named[0] if named else "")
