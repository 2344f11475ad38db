"""What a worker does when it is asked: look at photos, plan, run. Each ends in exactly one of Done, Failed, Cancelled.

This module imports nothing beyond the standard library and numpy; the pipeline and the photos' room, which need
libraries, only inside the function that uses them.
"""

import errno
import logging
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import errors
from ..errors import UserError
from ..progress import Cancel, Progress, check, span
from ..reconstruction import Reconstruction
from .leftovers import remove_leftovers
from .protocol import (
    RESULT,
    WORKSPACE,
    Cancelled,
    Chosen,
    Done,
    Event,
    Failed,
    GetWeights,
    Job,
    Plan,
    Planned,
    Probe,
    ProbedPhoto,
    Run,
)
from .warm import WarmEngines
from .worker_reporter import Reporter
from .worker_weights import get_weights

if TYPE_CHECKING:
    from ..photos.clip import Clip
    from ..photos.photo import Photo

logger = logging.getLogger(__name__)

Send = Callable[[Event], None]
LONGEST_SENTENCE = 2_000  # letters
LONGEST_DETAIL = 20_000  # letters: the end of a traceback and of a library's words
FULL = 1 << 20  # bytes: with less, a disk is full
LEARNED = ("torch", "safetensors", "huggingface_hub")  # what the runtime brings and the extension does not
NO_MEMORY = "There is not enough memory for this: close other programs, or use fewer or smaller photos."


def perform(job: Job, send: Send, reporter: Reporter, cancel: Cancel, engines: WarmEngines) -> None:
    """Do the job and say how it ended; raises nothing that a job can be the reason of."""
    try:
        reporter("Starting", 0.0)
        check(cancel)
        if isinstance(job, Probe):
            end = _probe(job, send, reporter, cancel)
        elif isinstance(job, Plan):
            end = _plan(job, send, cancel, engines)
        elif isinstance(job, GetWeights):
            end = get_weights(job, reporter, cancel)
        else:
            end = _run(job, send, reporter, cancel, engines)
    except errors.Cancelled:
        send(Cancelled(job.job))
    except UserError as error:
        _fail(job, send, error.sentence, error.detail)
    except ImportError as error:
        missing = f"The Python of the background worker lacks {error.name or 'a library'}"
        remedy = "install the add-on again, or choose another Python in its preferences"
        if error.name in LEARNED:
            remedy = "install the runtime in the add-on's preferences, or choose another Python there"
        sentence = f"{missing}: {remedy}."
        _fail(job, send, sentence, traceback.format_exc())
    except MemoryError:
        engines.forget()
        _fail(job, send, NO_MEMORY, traceback.format_exc())
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            place = job.folder if isinstance(job, Probe | Run) else tempfile.gettempdir()
            sentence = f"The disk is full: free some space where {place} is, then try again."
        else:
            sentence = f"Something unexpected went wrong: {error!r}. The log has the detail."
        _fail(job, send, sentence, traceback.format_exc())
    else:
        send(end)


def _fail(job: Job, send: Send, sentence: str, detail: str) -> None:
    if isinstance(job, Probe | Run) and not Path(job.folder).is_dir():
        sentence = f"The folder {job.folder} for this job is not there: it may have been removed; try again."
    logger.error("job %s: %s\n%s", job.job, sentence, detail)
    send(Failed(job.job, sentence[:LONGEST_SENTENCE], detail[-LONGEST_DETAIL:]))


def _probe(job: Probe, send: Send, reporter: Reporter, cancel: Cancel) -> Done:
    from ..photos.clip import Clip
    from ..photos.files import find_each
    from ..photos.gather import UnreadablePhoto, probe_all

    folder = _folder(job.folder)
    there, nowhere = find_each(job.photos)
    for name, sentence in nowhere.items():
        send(ProbedPhoto(job.job, name, Path(name).name, "", 0, 0, None, "", "", sentence[:LONGEST_SENTENCE]))
    for number, photo in enumerate(probe_all(there, cancel)):
        check(cancel)
        if isinstance(photo, UnreadablePhoto):
            path = photo.path
            send(ProbedPhoto(job.job, str(path), path.name, "", 0, 0, None, "", "", photo.sentence[:LONGEST_SENTENCE]))
        elif isinstance(photo, Clip):
            send(_clip(job.job, photo, folder))
        else:
            send(_photo(job.job, photo, folder))
        reporter("Reading photos", (number + 1) / len(there))
    return Done(job.job, "")


def _photo(job: str, photo: "Photo", folder: Path) -> ProbedPhoto:
    from ..photos.thumbnail import write_thumbnail

    name, problem = _thumbnail(photo.sha256, folder, lambda path: write_thumbnail(photo, path))
    return ProbedPhoto(
        job=job,
        path=str(photo.path),
        name=photo.name,
        identity=photo.sha256,
        width=photo.width,
        height=photo.height,
        focal=photo.focal_prior.pixels if photo.focal_prior else None,
        lens=photo.lens,
        thumbnail=name,
        problem=problem,
        mask="" if photo.mask is None else photo.mask.name,
        remark=photo.remark[:LONGEST_SENTENCE],
    )


def _clip(job: str, clip: "Clip", folder: Path) -> ProbedPhoto:
    from ..photos.masks import mask_beside
    from ..photos.thumbnail import write_clip_thumbnail

    name, problem = _thumbnail(clip.sha256, folder, lambda path: write_clip_thumbnail(clip, path))
    return ProbedPhoto(
        job=job,
        path=str(clip.path),
        name=clip.name,
        identity=clip.sha256,
        width=clip.width,
        height=clip.height,
        focal=None,
        lens="",
        thumbnail=name,
        problem=problem,
        seconds=clip.duration,
        frames=clip.frames,
        mask=getattr(mask_beside(clip.path), "name", ""),
    )


def _thumbnail(sha256: str, folder: Path, write: Callable[[Path], None]) -> tuple[str, str]:
    """Its name in `folder`, "" where `write` made none; and why, for the artist."""
    name = f"{sha256}.png"
    try:
        if not (folder / name).is_file():
            write(folder / name)
    except UserError as error:
        return "", error.sentence[:LONGEST_SENTENCE]
    return name, ""


def _plan(job: Plan, send: Send, cancel: Cancel, engines: WarmEngines) -> Done:
    from ..pipeline import plan

    made = plan(job.photos, job.settings, cancel, engines.create)
    send(
        Planned(
            job=job.job,
            engine=made.engine,
            reason=made.reason,
            sentence=made.sentence,
            seconds=made.seconds,
            memory=made.memory,
            memory_free=made.memory_free,
            fits=made.fits,
        )
    )
    return Done(job.job, "")


def _run(job: Run, send: Send, reporter: Reporter, cancel: Cancel, engines: WarmEngines) -> Done:
    folder = _folder(job.folder)
    workspace = folder / WORKSPACE
    try:
        workspace.mkdir()
        reconstruction = _reconstruction(job, workspace, send, span(reporter, 0.0, 0.97), cancel, engines)
        check(cancel)
        reporter("Saving the capture", 0.97)
        reconstruction.save(folder / RESULT)
    except BaseException as error:
        full = _is_full(folder)
        remove_leftovers(folder)
        if full and isinstance(error, Exception) and not isinstance(error, errors.Cancelled):
            # Whoever has failed (the camera solver, a library) may have said something else.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), job.folder) from error
        raise
    shutil.rmtree(workspace, ignore_errors=True)
    return Done(job.job, RESULT)


def _reconstruction(
    job: Run, workspace: Path, send: Send, progress: Progress, cancel: Cancel, engines: WarmEngines
) -> Reconstruction:
    """What the pipeline makes of the photos: a capture of their own, or one that is there and they are added to."""
    from ..pipeline import EngineChoice, add_photos, reconstruct

    def on_choice(choice: EngineChoice) -> None:
        send(Chosen(job.job, choice.name, choice.reason))

    if job.capture:
        capture = Reconstruction.load(job.capture)
        return add_photos(capture, job.photos, workspace, job.settings, progress, cancel)
    return reconstruct(job.photos, workspace, job.settings, progress, cancel, on_choice, engines.create_alone)


def _folder(named: str) -> Path:
    folder = Path(named)
    if not folder.is_absolute() or not folder.is_dir():
        raise UserError(f"The folder {named} for this job cannot be used; try again.")
    return folder


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL
    except OSError:  # it was removed
        return False
