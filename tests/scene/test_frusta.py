from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from vggt_addon.scene import materials
from vggt_addon.scene.build import build
from vggt_addon.scene.cameras import look_through
from vggt_addon.scene.frusta import build_frustum, frustum_corners


def test_the_corners_are_the_photos_corners(capture: Any) -> None:
    built = build(capture)
    for camera in built.cameras:
        look_through(camera)
        corners = frustum_corners(camera, 0.3)
        np.testing.assert_allclose(corners[0], camera.matrix_world.translation, atol=1e-6)
        seen = [tuple(world_to_camera_view(bpy.context.scene, camera, Vector(corner)))[:2] for corner in corners[1:]]
        np.testing.assert_allclose(seen, [(0, 1), (0, 0), (1, 0), (1, 1)], atol=1e-4)
        sides = np.linalg.norm([corners[2] - corners[1], corners[3] - corners[2]], axis=1)
        assert sides.max() == pytest.approx(0.3, rel=1e-5)


def test_a_frustum_is_wires_and_a_picture(capture: Any, scene: Any) -> None:
    built = build(capture)
    wire = materials.color_material("wire", (1.0, 0.5, 0.0))
    build_frustum(built.cameras[0], 0.3, wire, scene.collection)
    tubes, picture = (bpy.data.objects[name].data for name in ("frustum", "picture"))
    assert tubes.validate() is False and picture.validate() is False
    assert len(tubes.polygons) == 8 * 6
    assert tubes.materials[0] == wire
    assert len(picture.polygons) == 1
