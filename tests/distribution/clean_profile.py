"""A clean profile of Blender with the extension in it, as a user installs it; no test by itself.

Imported before bpy by the scripts of this folder, in a process that has no other bpy.
"""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

MODULE = "bl_ext.user_default.vggt_addon"
# What Blender itself prints while it installs an extension.
_BLENDERS_OWN = ('STATUS Installed "vggt_addon"', 'STATUS Reinstalled "vggt_addon"')


def use(profile: Path) -> Any:
    """bpy, with all that is a user's own in `profile`."""
    os.environ["BLENDER_USER_RESOURCES"] = str(profile)
    for name in [name for name in os.environ if name.startswith("VGGT_ADDON_")]:
        del os.environ[name]
    if "bpy" in sys.modules:
        raise RuntimeError("bpy is there already, with another profile")
    return importlib.import_module("bpy")


def install(bpy: Any, archive: Path) -> None:
    """Install the zip and enable it, with nothing on the console; fails with what was printed otherwise."""
    with _console() as printed:
        done = bpy.ops.extensions.package_install_files(
            filepath=str(archive), repo="user_default", enable_on_install=True
        )
    lines = [line for line in printed if line.strip() and not line.startswith(_BLENDERS_OWN)]
    if done != {"FINISHED"} or lines or MODULE not in bpy.context.preferences.addons:
        raise SystemExit(f"not installed quietly: {done} {lines}")


def part(name: str) -> ModuleType:
    """A module of the installed extension, by its name below `vggt_addon`; "" for that package."""
    return importlib.import_module(f"{MODULE}.vggt_addon.{name}".rstrip("."))


@contextlib.contextmanager
def _console() -> Iterator[list[str]]:
    """The lines that this process prints meanwhile, Blender's own code included; they are there at the end."""
    lines: list[str] = []
    kept = {stream.fileno(): os.dup(stream.fileno()) for stream in (sys.__stdout__, sys.__stderr__) if stream}
    with tempfile.TemporaryFile() as file:
        _flush()
        for number in kept:
            os.dup2(file.fileno(), number)
        try:
            yield lines
        finally:
            _flush()
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            lines += file.read().decode("utf-8", "replace").splitlines()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
