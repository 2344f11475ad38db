"""The command line that the Makefile calls.

    python -m distribution lock                          resolve the wheels anew
    python -m distribution build [PLATFORM...] [-o DIR]  zips, validated, and the repository's index beside them
    python -m distribution release VERSION [-o DIR]      version, changelog, zips, index, commit and tag

This module imports nothing beyond the standard library.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .build import build
from .errors import PackageError
from .lock import write_lock
from .platforms import PLATFORMS, find_platform
from .project import bundled_for
from .registry import resolve
from .release import release


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 1 where it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m distribution", description="Packages the extension.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock", help="resolve the wheels of requirements/run.in for every platform")
    one = commands.add_parser("build", help="make zips and the index")
    one.add_argument("platforms", nargs="*", help="as Blender names them; all without any")
    release_parser = commands.add_parser("release", help="set the version, make everything, commit and tag")
    release_parser.add_argument("version")
    for command in (one, release_parser):
        command.add_argument("-o", "--output", type=Path, default=Path("dist"))
    options = parser.parse_args(arguments)
    try:
        if options.command == "lock":
            write_lock({platform.name: resolve(platform, bundled_for(platform)) for platform in PLATFORMS})
            return 0
        if options.command == "build":
            chosen = [find_platform(name) for name in options.platforms] or PLATFORMS
            made = build(chosen, options.output)
        else:
            made = release(options.version, options.output)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    for path in made:
        print(f"{path}  {path.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
