"""The .blend as a file: a fresh one to build in, and saving in one step.

This module imports nothing beyond the standard library, bpy and the room's neighbour errors.
"""

import contextlib
import os
import uuid
from contextlib import AbstractContextManager
from pathlib import Path

import bpy

from ..errors import UserError
from . import images
from .materials import plain_world

FAINT_LIGHT = (0.05, 0.05, 0.05)  # Blender's own default: what the artist adds is not black


def new_file() -> bpy.types.Scene:
    """Empty Blender: factory settings, one scene without objects. For a process of our own, never for the artist's."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.world = plain_world("World", FAINT_LIGHT)
    return scene


def save_blend(
    path: Path | str,
    *,
    pack: bool = False,
    moved: tuple[Path, Path] | None = None,
    together: AbstractContextManager[None] | None = None,
) -> Path:
    """Write the whole file to `path` (a temporary name beside it first, then renamed) and return it, absolute.

    Image paths in it are relative to it, so that a folder moved as a whole keeps its pictures; `pack` puts the
    pictures inside. The session itself goes on under the name it had. Raises UserError where the disk refuses.

    `moved` names a folder as it is and as it will be: pictures in it are referred to by the latter. `together` is
    entered when the file is complete, and left when it has its name: what else takes its name in that moment.
    """
    path = Path(path).absolute()
    if pack:
        images.pack([image for image in bpy.data.images if image.source == "FILE"])
    if moved is not None:
        images.refer_to(*moved)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.blend")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Blender makes the paths of an unsaved session relative itself, and rebases those that already are.
        bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, relative_remap=True, compress=True)
        with together or contextlib.nullcontext():
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{path} could not be written. Is the disk full or the folder protected?", repr(error)
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written there is nothing to clear away
            temporary.unlink(missing_ok=True)
    return path
