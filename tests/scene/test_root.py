from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.scene.build import build
from vggt_addon.scene.placement import place
from vggt_addon.scene.root import CUT_EDGES, RADIUS, THRESHOLD, set_slider


def test_the_root_carries_placement_and_provenance(capture: Any) -> None:
    root = build(capture).root
    placement = place(capture)
    np.testing.assert_allclose(np.array(root.matrix_world), placement.scene_from_local, atol=1e-6)
    assert list(root["world_origin"]) == placement.world_origin.tolist()  # all 64 bits
    assert root["capture_id"] == capture.capture_id
    assert root["engine"] == "synthetic"
    assert root["weights_licence"] == "CC0"


def test_everything_hangs_on_the_root(capture: Any) -> None:
    built = build(capture)
    for item in (*built.cameras, built.points, *built.reliefs):
        assert item.parent == built.root
        assert item.matrix_parent_inverse.is_identity


def test_sliders_keep_their_type_and_range(capture: Any) -> None:
    root = build(capture).root
    set_slider(root, THRESHOLD, 1)
    set_slider(root, CUT_EDGES, 0)
    assert root[THRESHOLD] == 1.0 and isinstance(root[THRESHOLD], float)
    assert root[CUT_EDGES] is False
    limits = root.id_properties_ui(THRESHOLD).as_dict()
    assert (limits["min"], limits["max"]) == (0.0, 1.0)
    assert root[RADIUS] > 0


def test_an_unknown_slider_is_refused(scene: Any) -> None:
    with pytest.raises(KeyError, match="no slider called brightness"):
        set_slider(bpy.data.objects.new("root", None), "brightness", 1.0)
