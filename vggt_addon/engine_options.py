"""The command line's options for engines, and the settings that they come to.

This module imports nothing beyond the standard library.
"""

import argparse
import math
from pathlib import Path

from .engines.vggt.known_focal import FOCALS, is_focal
from .settings import EngineSettings, NetworkSettings


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """The options of the learned engines; what all engines share is in `__main__`."""
    group = parser.add_argument_group("learned engines (vggt, dust3r)")
    group.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"), help="default: auto")
    group.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="of the matrix products: half precision is quicker and less exact (default: what suits the device)",
    )
    group.add_argument(
        "--focal",
        default="network",
        type=_focal,
        metavar="FOCAL",
        help="focal length: network (as seen in each photo), shared (one for each lens), exif (as the file says), "
        "28mm (of every photo, on 36 mm wide film), or 3200 (pixels of the reference photo, the others in proportion "
        "to their long sides); default: network",
    )
    group.add_argument(
        "--points-from",
        default="depth",
        choices=("depth", "head"),
        help="points from depth and cameras, or by the network's own point head (default: depth)",
    )
    group.add_argument(
        "--framing",
        default="whole",
        choices=("whole", "crop", "pad"),
        help="how photos are put into the network's picture: whole loses nothing (default: whole)",
    )
    group.add_argument(
        "--input-size",
        type=int,
        default=518,
        metavar="PIXELS",
        help="long side of it: for vggt a multiple of 14 (default 518), for dust3r the multiple of 16 below (512)",
    )
    group.add_argument(
        "--clean", action="store_true", help="dust3r: hide points that float before what a surer photo sees there"
    )
    group.add_argument(
        "--matches",
        action="store_true",
        help="dust3r: keep which pixels of two photos show the same point",
    )
    group.add_argument("--memory-limit", type=_gigabytes, default=0.0, metavar="GB", help="what a run may take in all")
    group.add_argument("--weights", default="", metavar="ID", help="see `weights list` (default: the first there)")
    group.add_argument("--weights-folder", type=Path, metavar="FOLDER", help="where weights are kept")


def engine_settings(options: argparse.Namespace) -> EngineSettings:
    """What the options of `import` and `reconstruct` come to."""
    return EngineSettings(
        seed=options.seed,
        depth_size=options.depth_size,
        sequence=options.sequence,
        texture_size=options.texture_size,
        reference=options.reference,
        threads=options.threads,
        network=NetworkSettings(
            weights=options.weights,
            weights_folder=str(options.weights_folder) if options.weights_folder else "",
            device=options.device,
            precision=options.precision,
            memory_limit=options.memory_limit,
            framing=options.framing,
            input_size=options.input_size,
            points_from=options.points_from,
            focal=options.focal,
            clean=options.clean,
            matches=options.matches,
        ),
    )


def _focal(text: str) -> str:
    if not is_focal(text):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(FOCALS)}, 28mm, 3200")
    return text


def _gigabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.1 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of gigabytes, 0.1 or more")
    return number
