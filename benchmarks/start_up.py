"""What enabling the extension adds to Blender's start: python benchmarks/start_up.py [--runs 9]

Both our extension and an empty one are built, installed into a fresh profile and enabled, each time in a new Blender,
turn by turn; told are the medians, and what ours takes beyond the empty one. Needs the bpy wheel.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LIMIT = 0.05  # seconds
EMPTY_MANIFEST = """schema_version = "1.0.0"
id = "empty"
version = "1.0.0"
name = "Empty"
tagline = "Nothing at all"
maintainer = "Nobody"
type = "add-on"
blender_version_min = "4.2.0"
license = ["SPDX:GPL-3.0-or-later"]
"""
EMPTY = "def register():\n    pass\n\n\ndef unregister():\n    pass\n"
INSTALL = """
import sys, bpy
for path in sys.argv[1:]:
    bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=False)
"""
ENABLE = """
import sys, time, bpy, addon_utils
began = time.perf_counter()
addon_utils.enable("bl_ext.user_default." + sys.argv[1])
print("SECONDS", time.perf_counter() - began)
addon_utils.disable("bl_ext.user_default." + sys.argv[1])
"""


def run(program: str, *arguments: str, user: Path) -> str:
    """What a new Blender prints."""
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def build(source: Path, output: Path) -> Path:
    """The zip of the extension in `source`, by Blender's own tool."""
    import bpy

    tool = Path(bpy.utils.resource_path("LOCAL"), "scripts/addons_core/bl_pkg/cli/blender_ext.py")
    command = [sys.executable, str(tool), "build", "--source-dir", str(source), "--output-dir", str(output)]
    subprocess.run(command, capture_output=True, check=True)
    return next(output.glob("*.zip"))


def main() -> int:
    """Measure and tell; exit status 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        empty, user = Path(folder, "empty"), Path(folder, "user")
        for place in (empty, user, Path(folder, "a"), Path(folder, "b")):
            place.mkdir()
        (empty / "blender_manifest.toml").write_text(EMPTY_MANIFEST)
        (empty / "__init__.py").write_text(EMPTY)
        run(INSTALL, str(build(REPOSITORY, Path(folder, "a"))), str(build(empty, Path(folder, "b"))), user=user)
        seconds: dict[str, list[float]] = {"empty": [], "vggt_addon": []}
        for _ in range(runs + 1):
            for name, taken in seconds.items():
                (line,) = (line for line in run(ENABLE, name, user=user).splitlines() if line.startswith("SECONDS"))
                taken.append(float(line.split()[1]))
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}  # the first compiles
    added = medians["vggt_addon"] - medians["empty"]
    told = {name: f"{value * 1000:.1f} ms" for name, value in medians.items()}
    print(f"{told}; added: {added * 1000:.1f} ms of {LIMIT * 1000:.0f}")
    return int(added > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
