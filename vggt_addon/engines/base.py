"""What every engine is to the rest: a name, one call that says what a run would take, and one that makes it.

This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..photos.photo import Photo
from ..progress import Cancel, Progress
from ..reconstruction import Reconstruction
from ..settings import EngineSettings


@dataclass(frozen=True)
class EnginePlan:
    """What a run would take: a prediction, made in seconds."""

    sentence: str  # for the artist: "24 photos: about 5.0 GB of 8.0 GB, 40 s.", or why it does not fit and what would
    seconds: float | None  # photos to the finished Reconstruction, postprocessing included; None: not known
    memory: int | None  # bytes at the peak, on the device that it runs on
    memory_free: int | None  # bytes there that it may take
    fits: bool


class Engine(Protocol):
    """An engine's public face. It is made by the registry without arguments and holds no state of a run.

    It may keep what is slow to load: whoever lets it go gets that memory back.
    """

    name: str

    def plan(self, photos: Sequence[Photo], settings: EngineSettings, cancel: Cancel) -> EnginePlan:
        """What `reconstruct` would take for these photos, here and now. Loads nothing.

        Raises UserError with a sentence where these settings cannot run here whatever the photos, Cancelled.
        """
        ...

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        """Place the photos and measure depth.

        `workspace` is an empty folder of this run; pictures that had to be made (upright, undistorted) are left in it
        and named by the views. Raises EngineError with a sentence where the photos do not allow a reconstruction,
        Cancelled on request.
        """
        ...
