"""All that a run may be asked, by the command line, by a script or from Blender's panel.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass

POINT_BUDGET = 1_000_000
FRAMES_PER_CLIP = 32  # a walk around something once, a frame every 11 degrees; 5 minutes for the embedded engine


@dataclass(frozen=True)
class NetworkSettings:
    """What may be asked of the learned engines beyond what is asked of all."""

    weights: str = ""  # id in the catalogue; "": the first of this engine's that is in the store
    weights_folder: str = ""  # the store; "": this user's
    device: str = "auto"  # "auto", "cuda", "mps" or "cpu"
    precision: str = "auto"  # of the blocks' products: "auto", "float32", "bfloat16" or "float16"
    memory_limit: float = 0.0  # GB in all that a run may take on its device; 0: what is free
    framing: str = "whole"  # how photos are put into the network's input: "whole", "crop" or "pad"
    input_size: int = 518  # pixels: long side of that input, a multiple of 14; less is quicker, takes and shows less
    points_from: str = "depth"  # "depth": points from depth and cameras; "head": the network's own point head
    matches: bool = False  # DUSt3R: which pixels of two photos show the same point is kept with the capture
    clean: bool = False  # DUSt3R: points that float before what a surer photo sees are not shown
    focal: str = (
        "network"  # "network": as seen in each photo; "shared": one for a lens; "exif": the file's, if it says;
    )
    #   "28mm", "3200": imposed on all, see engines/vggt/known_focal.py


@dataclass(frozen=True)
class EngineSettings:
    """What an artist or a script may ask of any engine."""

    seed: int = 0  # the same photos, settings, seed and machine give the same result
    depth_size: int = 512  # pixels: long side of the depth grid
    sequence: bool = False  # the photos are frames of one walk: only neighbours in time are compared
    texture_size: int = 0  # pixels: long side of the pictures that Blender shows at most; 0: as large as the photos
    reference: str = ""  # name or path of the photo that the scene opens on; "": the first
    threads: int = 0  # 0: the engine's choice, up to one for each core
    network: NetworkSettings = NetworkSettings()


@dataclass(frozen=True)
class RunSettings:
    """One run, photos to a finished Reconstruction."""

    engine: str = "auto"  # a name in the registry of engines; "auto": see pipeline.choose_engine
    engine_settings: EngineSettings = EngineSettings()
    point_budget: int = POINT_BUDGET  # points kept at most
    frames_per_clip: int = FRAMES_PER_CLIP  # frames of each clip that are used at most
