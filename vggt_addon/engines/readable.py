"""A run goes on without the photos whose pixels turn out not to be readable.

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
        unreadable = {photos[place].name: error.reasons[place] for place in sorted(error.reasons)}
        if len(unreadable) == len(photos):
            raise
    readable = [photo for photo in photos if photo.name not in unreadable]
    if settings.reference in unreadable:
        settings = replace(settings, reference="")
    made = run(readable, settings, span(progress, _READING, 1.0))
    return made.replace(left_out=(*(LeftOut(name, why) for name, why in unreadable.items()), *made.left_out))
