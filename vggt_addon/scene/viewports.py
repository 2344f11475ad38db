"""How the 3D viewports of a new file open on a capture.

This module imports nothing beyond bpy.
"""

import bpy


def open_on_camera(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Let every 3D viewport look through `camera`, in colour, with clipping that suits its size.

    Material preview, because solid mode shows neither points' colours nor photos. Viewports belong to windows, so
    nothing happens while a window shows another scene than `scene`.
    """
    windows = [window for manager in bpy.data.window_managers for window in manager.windows]
    if any(window.scene != scene for window in windows):
        return
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                space = area.spaces.active
                space.shading.type = "MATERIAL"
                space.overlay.show_relationship_lines = False  # one per camera and relief, all over the picture
                space.clip_start, space.clip_end = camera.data.clip_start, camera.data.clip_end
                space.region_3d.view_perspective = "CAMERA"
