"""What the artist chose for all scenes, whether the add-on is enabled or run from source.

This module imports bpy beyond the standard library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import places


@dataclass(frozen=True)
class Preferences:
    """The preferences and their defaults."""

    python: str = ""
    idle_minutes: float = 10.0
    beside_blend: bool = True
    weights_folder: str = ""
    token_file: str = ""
    memory_limit: float = 0.0  # GB; 0: what is free
    texture_size: int = 0  # pixels; 0: as large as the photos
    log_level: str = "INFO"


def preferences() -> Preferences:
    """What the user chose."""
    entry = bpy.context.preferences.addons.get(places.ADDON)
    chosen: Any = entry.preferences if entry is not None else None
    if chosen is None:
        return Preferences()
    return Preferences(
        python=absolute(chosen.python),
        idle_minutes=chosen.idle_minutes,
        beside_blend=chosen.beside_blend,
        weights_folder=absolute(chosen.weights_folder),
        token_file=absolute(chosen.token_file),
        memory_limit=round(chosen.memory_limit, 3),
        texture_size=int(chosen.texture_size),
        log_level=chosen.log_level,
    )


def absolute(path: str) -> str:
    """`path`, or "" where the .blend or the current folder would say what it means, and so which program is run."""
    return path if Path(path).is_absolute() and not path.startswith("//") else ""
