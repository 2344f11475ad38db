"""The photos' small pictures as Blender's icons.

This module imports bpy beyond the standard library.
"""

from pathlib import Path
from typing import Any

import bpy.utils.previews

_icons: Any = None


def load(photo: str, picture: Path) -> None:
    """Let `picture`, a small file, stand for the photo at the path `photo`; Blender reads it when it is first drawn."""
    global _icons
    if _icons is None:
        _icons = bpy.utils.previews.new()
    if _key(photo) not in _icons:
        _icons.load(_key(photo), str(picture), "IMAGE")


def icon(photo: str) -> int:
    """The icon's number for a layout; 0 where there is none."""
    return _icons[_key(photo)].icon_id if _icons is not None and _key(photo) in _icons else 0


def clear() -> None:
    """Forget all of them."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None


def _key(photo: str) -> str:
    """A path may hold what is no Unicode, which Blender takes for no name."""
    return photo.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\0")
