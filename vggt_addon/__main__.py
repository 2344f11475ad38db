"""The command line: `python -m vggt_addon import PHOTOS... -o scene.blend`, and its parts one by one.

Exit codes: 0 done; 1 could not be done, with a sentence; 2 wrong usage; 70 a fault of ours; 130 cancelled.
This module imports nothing beyond the standard library; the commands import what they need.
"""

import argparse
import errno
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from . import __version__, commands, runtime_commands, weights_commands
from .console import Console
from .engine_options import add_engine_options
from .errors import Cancelled, UserError
from .settings import FRAMES_PER_CLIP


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    log: Path | None = options.log
    with Console(as_json=options.json, verbose=options.verbose, log=log) as console:
        try:
            options.command(options, console)
            return 0
        except (Cancelled, KeyboardInterrupt):
            console.error("Cancelled. Nothing was left half-written.", "")
            return 130
        except UserError as error:
            console.error(error.sentence, error.detail)
            _keep_log(console, options)
            return 1
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                return _our_fault(error, console, options)
            console.error(
                f"The disk is full: free some space for the result and in {tempfile.gettempdir()}, then try again.",
                traceback.format_exc(),
            )
            _keep_log(console, options)
            return 1
        except Exception as error:
            return _our_fault(error, console, options)


def _our_fault(error: Exception, console: Console, options: argparse.Namespace) -> int:
    console.error(f"Something unexpected went wrong: {error!r}. The log has the detail.", traceback.format_exc())
    _keep_log(console, options, always=True)
    return 70


def _keep_log(console: Console, options: argparse.Namespace, *, always: bool = False) -> None:
    """Beside what was to be written, if its folder is there or the log is needed."""
    output: Path = (options.output or options.log_stem(options)).absolute()
    if output.name not in ("", "..") and (always or output.parent.is_dir()):
        console.keep_log(output.with_name(f"{output.name}.log"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vggt_addon", description="Photos and clips to a Blender scene.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    everywhere = _options_of_all()

    given = _given_photos()
    photos = _run_options(given)
    pictures = argparse.ArgumentParser(add_help=False)
    pictures.add_argument("--preview", type=Path, metavar="PNG", help="render the scene from outside")
    pictures.add_argument("--overlay", type=Path, metavar="PNG", help="render it through a camera, beside the photo")
    pictures.add_argument("--pack", action="store_true", help="put the pictures into the .blend")

    command = subparsers.add_parser("import", parents=[photos, pictures, everywhere], help="photos to a .blend")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="SCENE.blend")
    command.set_defaults(command=commands.import_photos)
    command = subparsers.add_parser("reconstruct", parents=[photos, everywhere], help="photos to a capture folder")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    command.set_defaults(command=commands.reconstruct_photos)
    capture = argparse.ArgumentParser(add_help=False)
    capture.add_argument("capture", type=Path, metavar="FOLDER")
    command = subparsers.add_parser("add", parents=[capture, given, everywhere], help="more photos to a capture folder")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="NEW_FOLDER")
    command.set_defaults(command=commands.add_photos)
    command = subparsers.add_parser("plan", parents=[photos, everywhere], help="what a run would take")
    command.set_defaults(command=commands.plan_run, output=None, log_stem=weights_commands.log_stem)
    command = subparsers.add_parser(
        "build", parents=[capture, pictures, everywhere], help="a capture folder to a .blend"
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="SCENE.blend")
    command.set_defaults(command=commands.build_scene)
    command = subparsers.add_parser("export", parents=[capture, everywhere], help="a capture folder to other programs")
    command.add_argument("--format", required=True, choices=tuple(commands.EXPORTERS))
    command.add_argument("-o", "--output", type=Path, required=True, metavar="PATH")
    command.set_defaults(command=commands.export)
    weights_commands.add_commands(subparsers, everywhere)
    runtime_commands.add_commands(subparsers, everywhere)
    return parser


def _given_photos() -> argparse.ArgumentParser:
    """Photos, and what may be asked wherever some are read."""
    photos = argparse.ArgumentParser(add_help=False)
    photos.add_argument("photos", nargs="+", metavar="PHOTOS", help="photos, clips, folders or patterns")
    photos.add_argument(
        "--texture-size",
        type=_whole_number(0, 65536),
        default=0,
        metavar="PIXELS",
        help="long side of the pictures that Blender shows at most (default: as the photos)",
    )
    photos.add_argument("--threads", type=_whole_number(0, 1024), default=0, help="default: as many as there are cores")
    photos.add_argument(
        "--frames",
        type=_whole_number(1, 10_000),
        default=FRAMES_PER_CLIP,
        metavar="N",
        help=f"frames of each clip that are used at most (default {FRAMES_PER_CLIP})",
    )
    return photos


def _run_options(given: argparse.ArgumentParser) -> argparse.ArgumentParser:
    photos = argparse.ArgumentParser(add_help=False, parents=[given])
    photos.add_argument("--engine", default="auto", choices=("auto", "vggt", "dust3r", "sfm"), help="default: auto")
    photos.add_argument(
        "--seed", type=_whole_number(0, 2**31 - 1), default=0, help="same seed, same result (default 0)"
    )
    photos.add_argument(
        "--depth-size",
        type=_whole_number(64, 4096),
        default=512,
        metavar="PIXELS",
        help="long side of the depth maps (64 to 4096, default 512)",
    )
    photos.add_argument(
        "--reference", default="", metavar="PHOTO", help="the photo that the scene opens on (default: the first)"
    )
    photos.add_argument("--sequence", action="store_true", help="the photos are frames of one walk, in order")
    photos.add_argument(
        "--points", type=_whole_number(1, 2**31 - 1), default=1_000_000, metavar="N", help="point budget"
    )
    add_engine_options(photos)
    return photos


def _options_of_all() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="print one JSON event per line, for scripts")
    options.add_argument("--force", action="store_true", help="overwrite what exists")
    options.add_argument("--log", type=Path, metavar="FILE", help="write the log there, also on success")
    options.add_argument("--verbose", action="store_true", help="show the log while it is written")
    return options


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """How argparse reads a whole number within a range."""

    def read(text: str) -> int:
        if not (text.isdecimal() and lowest <= int(text) <= highest):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
