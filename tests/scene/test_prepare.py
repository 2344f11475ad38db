import subprocess
import sys
from typing import Any

import bpy
import numpy as np

from vggt_addon.scene.colors import srgb_floats
from vggt_addon.scene.placement import place
from vggt_addon.scene.prepare import prepare


def test_a_thread_may_call_it_since_it_never_sees_bpy() -> None:
    code = (
        "import sys; import vggt_addon.scene.prepare, vggt_addon.scene.relief_arrays, vggt_addon.scene.folders; "
        "import vggt_addon.scene.summary; print('bpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
    assert bpy.app.version >= (4, 2, 0)  # it could have been imported


def test_points_stand_in_the_roots_frame(capture: Any) -> None:
    prepared = prepare(capture)
    origin = place(capture).world_origin
    np.testing.assert_array_equal(prepared.placement.world_origin, origin)
    np.testing.assert_array_equal(prepared.points.position, (capture.points.position - origin).astype(np.float32))
    np.testing.assert_array_equal(np.rint(prepared.points.color[:, :3] * 255), capture.points.color)
    assert (prepared.points.color[:, 3] == 1).all()


def test_no_points_no_cloud(capture: Any) -> None:
    assert prepare(capture.replace(points=None)).points is None


def test_colors_longer_than_a_block() -> None:
    color = np.random.default_rng(0).integers(0, 256, (70_000, 3), np.uint8)
    np.testing.assert_array_equal(np.rint(srgb_floats(color)[:, :3] * 255), color)
