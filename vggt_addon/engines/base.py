"""What every engine is to the rest: a name, and one call from photos to a Reconstruction.

This module imports nothing beyond the standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..photos.photo import Photo
from ..progress import Cancel, Progress
from ..reconstruction import Reconstruction


@dataclass(frozen=True)
class NetworkSettings:
    """What may be asked of the learned engines beyond that."""

    weights: str = ""  # id in the catalogue; "": the first of this engine's that is in the store
    weights_folder: str = ""  # the store; "": this user's
    device: str = "auto"  # "auto", "cuda", "mps" or "cpu"
    precision: str = "auto"  # of the blocks' products: "auto", "float32", "bfloat16" or "float16"
    memory_limit: float = 0.0  # GB in all that a run may take on its device; 0: what is free
    framing: str = "whole"  # how photos are put into the network's input: "whole", "crop" or "pad"
    input_size: int = 518  # pixels: long side of that input, a multiple of 14; less is quicker, takes and shows less
    reference: str = ""  # name of the photo that the others are seen from; "": the first
    focal: str = "network"  # "network": as seen in each photo; "shared": one for a lens; "exif": the file's, if it says


@dataclass(frozen=True)
class EngineSettings:
    """What an artist or a script may ask of any engine."""

    seed: int = 0  # the same photos, settings, seed and machine give the same result
    depth_size: int = 512  # pixels: long side of the depth grid
    sequence: bool = False  # the photos are frames of one walk: only neighbours in time are compared
    threads: int = 0  # 0: the engine's choice, up to one for each core
    network: NetworkSettings = NetworkSettings()


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
