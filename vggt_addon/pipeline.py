"""Photos to a finished Reconstruction: what the command line and a worker process both call.

This module imports nothing beyond the standard library and numpy; engines and photos, which need libraries, only
inside the function that uses them.
"""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .postprocess.apply import PostprocessSettings, postprocess
from .progress import Cancel, Progress, never, no_progress, span
from .reconstruction import Reconstruction
from .settings import EngineSettings, RunSettings

if TYPE_CHECKING:
    from .photos.photo import Photo

logger = logging.getLogger(__name__)
DEFAULTS = RunSettings()


@dataclass(frozen=True)
class EngineChoice:
    """Which engine runs, and why, in words for the artist."""

    name: str
    reason: str


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


def reconstruct(
    inputs: Iterable[str | Path],
    workspace: Path,
    settings: RunSettings = DEFAULTS,
    progress: Progress = no_progress,
    cancel: Cancel = never,
    on_choice: Callable[[EngineChoice], None] = lambda choice: None,
) -> Reconstruction:
    """Photos (files, folders, patterns) to a postprocessed Reconstruction.

    `on_choice` is told which engine runs, before it does.

    `workspace` is an empty folder that outlives the call: pictures that had to be made lie in it until the
    Reconstruction is saved. Raises UserError with a sentence (PhotoError, EngineError), Cancelled on request.
    """
    from .engines.registry import create
    from .photos.gather import gather

    photo_set = gather(inputs, span(progress, 0.0, 0.02), cancel, settings.engine_settings.threads)
    for photo in photo_set.left_out:
        logger.warning("%s was left out. %s", photo.name, photo.reason)
    choice = choose_engine(settings.engine, photo_set.photos, settings.engine_settings)
    engine = create(choice.name)
    logger.info("engine %s: %s", choice.name, choice.reason)
    on_choice(choice)
    result = engine.reconstruct(
        photo_set.photos, workspace, settings.engine_settings, span(progress, 0.02, 0.95), cancel
    )
    result = result.replace(left_out=(*photo_set.left_out, *result.left_out))
    return postprocess(
        result, PostprocessSettings(point_budget=settings.point_budget), span(progress, 0.95, 1.0), cancel
    )
