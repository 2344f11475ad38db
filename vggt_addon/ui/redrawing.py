"""Which parts of Blender's windows show what we know, and are to be drawn anew when that changes.

This module imports bpy only.
"""

import bpy

REGIONS = {"VIEW_3D": ("UI",), "PREFERENCES": ("WINDOW", "EXECUTE")}


def redraw() -> None:
    """Let the 3D viewports' sidebars and the preferences show what is new."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                for region in area.regions:
                    if region.type in REGIONS.get(area.type, ()):
                        region.tag_redraw()
