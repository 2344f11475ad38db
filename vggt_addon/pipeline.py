"""Photos to a finished Reconstruction: what the command line and a worker process both call.

This module imports nothing beyond the standard library and numpy; engines and photos, which need libraries, only
inside the function that uses them.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .engines.base import EngineSettings
from .postprocess.apply import PostprocessSettings, postprocess
from .progress import Cancel, Progress, never, no_progress, span
from .reconstruction import Reconstruction

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineSettings:
    """All that a run may be asked."""

    engine: str = "auto"
    engine_settings: EngineSettings = EngineSettings()
    postprocess: PostprocessSettings = PostprocessSettings()


@dataclass(frozen=True)
class EngineChoice:
    """Which engine runs, and why, in words for the artist."""

    name: str
    reason: str


def choose_engine(name: str) -> EngineChoice:
    """What `--engine NAME` comes to on this machine."""
    if name != "auto":
        return EngineChoice(name, "as asked for")
    return EngineChoice("sfm", "the embedded engine, which needs neither GPU nor weights")


def reconstruct(
    inputs: Iterable[str | Path],
    workspace: Path,
    settings: PipelineSettings = PipelineSettings(),
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> Reconstruction:
    """Photos (files, folders, patterns) to a postprocessed Reconstruction.

    `workspace` is an empty folder that outlives the call: pictures that had to be made lie in it until the
    Reconstruction is saved. Raises UserError with a sentence (PhotoError, EngineError), Cancelled on request.
    """
    from .engines.registry import create
    from .photos.gather import gather

    choice = choose_engine(settings.engine)
    engine = create(choice.name)
    logger.info("engine %s: %s", choice.name, choice.reason)
    photo_set = gather(inputs, span(progress, 0.0, 0.02), cancel, settings.engine_settings.threads)
    for photo in photo_set.left_out:
        logger.warning("%s was left out. %s", photo.name, photo.reason)
    result = engine.reconstruct(
        photo_set.photos, workspace, settings.engine_settings, span(progress, 0.02, 0.95), cancel
    )
    result = result.replace(left_out=(*photo_set.left_out, *result.left_out))
    return postprocess(result, settings.postprocess, span(progress, 0.95, 1.0), cancel)
