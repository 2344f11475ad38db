"""When the artist saves, captures that still live in the user's folder come along, beside the .blend.

This module imports bpy beyond the standard library; the room scene only where there is a capture.
"""

from pathlib import Path

import bpy

from . import controller
from .preferences import preferences


def before_save(path: str) -> None:
    """Blender is about to write `path`; empty for its start-up file."""
    if path and preferences().beside_blend and _captures():
        from ..scene import keep

        for warning in keep.before_save(Path(path)):
            controller.session().tell("INFO", warning)


def after_save(path: str) -> None:
    """Blender has written `path`."""
    if path and _captures():
        from ..scene import keep

        keep.after_save(Path(path))


def _captures() -> bool:
    return any("capture_id" in thing for thing in bpy.data.objects)
