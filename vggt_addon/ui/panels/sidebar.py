"""Where our panels stand.

This module imports nothing beyond the room; what it is handed is Blender's context.
"""

from typing import Any

from .. import ids


class InSidebar:
    """A panel of the 3D viewport's sidebar, on our tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.CATEGORY


class WithPhotos(InSidebar):
    """One that is there with the first photo, folded away."""

    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - how Blender declares it

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Where there are photos."""
        return context.scene is not None and bool(context.scene.vggt.photos)
