from typing import Any

import bpy
import pytest

from vggt_addon.scene.viewports import open_on_camera


def spaces() -> list[Any]:
    return [area.spaces.active for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]


def test_viewports_take_the_cameras_clipping(scene: Any) -> None:
    data = bpy.data.cameras.new("c")
    data.clip_start, data.clip_end = 0.004, 4000.0
    open_on_camera(scene, bpy.data.objects.new("c", data))
    for space in spaces():
        assert (space.clip_start, space.clip_end) == (pytest.approx(0.004), pytest.approx(4000.0))
        assert space.region_3d.view_perspective == "CAMERA"


def test_viewports_that_show_another_scene_stay_as_they_are(scene: Any) -> None:
    other = bpy.data.scenes.new("other")
    before = [(space.shading.type, space.region_3d.view_perspective) for space in spaces()]
    open_on_camera(other, bpy.data.objects.new("c", bpy.data.cameras.new("c")))
    assert [(space.shading.type, space.region_3d.view_perspective) for space in spaces()] == before
