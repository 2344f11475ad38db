"""Blender's own tool for extensions, out of the bpy that is installed; it runs as a process of its own.

This module imports nothing beyond the standard library.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from .errors import PackageError


def scripts_folder() -> Path:
    """Blender's scripts. Raises PackageError where this Python has no bpy."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise PackageError("Blender's tool is missing: run this with a Python that has bpy, as `make package` does.")
    return next(Path(spec.origin).parent.glob("*/scripts"))


def build(source: Path, output: Path) -> Path:
    """The zip of the folder `source`, put into the folder `output`, which holds no other."""
    _run("build", "--source-dir", str(source), "--output-dir", str(output), *_tags())
    return next(output.glob("*.zip"))


def validate(archive: Path) -> None:
    """Raises PackageError, which says what is wrong."""
    _run("validate", *_tags(), str(archive))


def generate_index(folder: Path) -> None:
    """Write `index.json` and `index.html`, which make of a folder of zips a repository that Blender can use.

    The page names the time at which it was made; the list is the same for the same zips.
    """
    _run("server-generate", "--repo-dir", str(folder), "--html")
    index = folder / "index.json"
    listed = json.loads(index.read_text(encoding="utf-8"))
    listed["data"].sort(key=lambda item: item["archive_url"])  # the tool has them as the disk does
    temporary = index.with_suffix(".new")
    temporary.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, index)


def _tags() -> tuple[str, str]:
    tags = scripts_folder() / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    return ("--valid-tags", str(tags))


def _run(*arguments: str) -> None:
    tool = scripts_folder() / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    done = subprocess.run([sys.executable, "-B", str(tool), *arguments], capture_output=True, text=True)
    told = done.stdout + done.stderr
    if done.returncode != 0 or "WARN" in told or "ERROR" in told:
        raise PackageError(f"Blender's tool refuses ({arguments[0]}): {told.strip()}")
