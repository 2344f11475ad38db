"""The entry below File > Import.

This module imports bpy only.
"""

import bpy

from . import ids


def _draw(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(ids.ADD_PHOTOS, text="Photos for a Scene (VGGT)", icon="CAMERA_DATA")
    self.layout.operator(ids.OPEN_CAPTURE, text="Capture (VGGT)", icon="FILE_FOLDER")


def register() -> None:
    """Add the entries."""
    bpy.types.TOPBAR_MT_file_import.append(_draw)


def unregister() -> None:
    """Take them away."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw)
