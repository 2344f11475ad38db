"""Which of its photos an engine works on: in the reference's order, and without those that turn out not to be readable.

This module imports nothing beyond the standard library.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import UnreadablePhotosError
from ..photos.photo import Photo
from ..progress import Progress, span
from ..reconstruction import LeftOut, Reconstruction
from ..settings import EngineSettings

Run = Callable[[Sequence[Photo], EngineSettings, Progress], Reconstruction]

_READING = 0.08  # of a run: what is over when pixels turn out not to be readable


def run_on_readable(photos: Sequence[Photo], settings: EngineSettings, progress: Progress, run: Run) -> Reconstruction:
    """`run` on all photos, or once more on those that can be read; the others are left out with their reason.

    Raises UnreadablePhotosError where none can be read, and what `run` raises.
    """
    try:
        return run(photos, settings, progress)
    except UnreadablePhotosError as error:
        readable, left_out = parted(photos, error)
        if not readable:
            raise
    if settings.reference in (photo.name for photo in left_out):
        settings = replace(settings, reference="")
    made = run(readable, settings, span(progress, _READING, 1.0))
    return made.replace(left_out=(*left_out, *made.left_out))


def parted(photos: Sequence[Photo], error: UnreadablePhotosError) -> tuple[list[Photo], tuple[LeftOut, ...]]:
    """The photos that can be read, and the others with their reasons, both in the photos' order."""
    readable = [photo for photo in photos if photo.name not in error.reasons]
    left_out = [LeftOut(photo.name, error.reasons[photo.name]) for photo in photos if photo.name in error.reasons]
    return readable, tuple(left_out)


def reference_first(photos: Sequence[Photo], reference: str) -> tuple[int, ...]:
    """Places in the list: the reference first, the others as they are. `pipeline` sees to it that it is among them."""
    first = [photo.name for photo in photos].index(reference) if reference else 0
    return (first, *(place for place in range(len(photos)) if place != first))
