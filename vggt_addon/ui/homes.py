"""Where a new capture is to live: beside the .blend, or with this user until there is one.

This module imports bpy beyond the standard library; the room scene only inside what a thread calls.
"""

import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy

from . import places
from .preferences import preferences


def homes(name: str) -> Callable[[], list[Path]]:
    """Folders for the capture called `name`, the best first: the next is for where that cannot be written.

    A function that a thread may call: what it needs takes long to import. Raises UserError.
    """
    blend = Path(bpy.data.filepath) if bpy.data.filepath and preferences().beside_blend else None
    return partial(_homes, blend, places.user_folder("captures", create=blend is None), name)


def _homes(blend: Path | None, ours: Path, name: str) -> list[Path]:
    from ..scene.folders import file_name, folder_beside

    with_user = ours / f"{file_name(name)}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    return [with_user] if blend is None else [folder_beside(blend, name), with_user]
