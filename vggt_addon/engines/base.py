"""What every engine is to the rest: a name, and one call from photos to a Reconstruction.

This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..photos.photo import Photo
from ..progress import Cancel, Progress
from ..reconstruction import Reconstruction
from ..settings import EngineSettings


class Engine(Protocol):
    """An engine's public face. An engine is made by the registry without arguments and holds no state of a run."""

    name: str

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        """Place the photos and measure depth.

        `workspace` is an empty folder of this run; pictures that had to be made (upright, undistorted) are left in it
        and named by the views. Raises EngineError with a sentence where the photos do not allow a reconstruction,
        Cancelled on request.
        """
        ...
