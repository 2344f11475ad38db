"""The whole capture: tidy, repeatable, all or nothing, and no surprise for a scene that has content."""

import dataclasses
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.scene.build import BuildSettings, build
from vggt_addon.scene.datablocks import KINDS


def everything() -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def described(built: Any) -> dict[str, Any]:
    """All that was built, as plain values: names, matrices, lenses, properties, and every attribute of every mesh."""
    found: dict[str, Any] = {}
    for item in built.collection.all_objects:
        properties = {key: value for key, value in item.items() if isinstance(value, int | float | str)}
        properties.pop("capture_created", None)
        found[item.name] = [np.array(item.matrix_world).tolist(), properties, [c.name for c in item.users_collection]]
        if item.type == "CAMERA":
            data = item.data
            found[item.name] += [data.lens, data.shift_x, data.shift_y, data.sensor_fit, data.clip_start, data.clip_end]
            found[item.name] += [data.background_images[0].image.filepath]
        if item.type == "MESH":
            for attribute in item.data.attributes:
                if attribute.name.startswith(".select"):  # Blender's own, of a type that differs by version
                    continue
                found[f"{item.name} {attribute.name}"] = (attribute.domain, attribute.data_type, _values(attribute))
            found[item.name] += [material.name for material in item.data.materials]
    return found


def _values(attribute: Any) -> bytes:
    if len(attribute.data) == 0:
        return b""
    for field, size, dtype in (("vector", 3, "f4"), ("color_srgb", 4, "f4"), ("value", 1, None)):
        if hasattr(attribute.data[0], field):
            size = {"FLOAT2": 2, "INT32_2D": 2}.get(attribute.data_type, size)
            kind = dtype or {"FLOAT": "f4", "BOOLEAN": "?"}.get(attribute.data_type, "i4")
            back = np.empty(len(attribute.data) * size, kind)
            attribute.data.foreach_get(field, back)
            return back.tobytes()
    raise AssertionError(attribute.data_type)


def test_a_capture_is_one_tidy_collection(capture: Any, scene: Any) -> None:
    built = build(capture, settings=BuildSettings(name="Courtyard"))
    assert [child.name for child in scene.collection.children] == ["Courtyard"]
    assert [child.name for child in built.collection.children] == ["Cameras", "Points", "Reliefs"]
    assert built.root.name == "Courtyard"
    assert [len(child.objects) for child in built.collection.children] == [4, 1, 4]
    assert built.warnings == ()


def test_it_is_named_after_the_folder_of_its_photos(capture: Any) -> None:
    assert build(capture).collection.name == "photos"


def test_an_empty_scene_opens_on_the_reference_photo_in_its_colours(capture: Any, scene: Any) -> None:
    built = build(capture)
    assert scene.camera == built.cameras[capture.reference]
    view = capture.views[capture.reference]
    assert (scene.render.resolution_x, scene.render.resolution_y) == (view.width, view.height)
    assert scene.view_settings.view_transform == "Standard"
    spaces = [area.spaces.active for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    assert spaces
    assert {(space.region_3d.view_perspective, space.shading.type) for space in spaces} == {("CAMERA", "MATERIAL")}


def test_a_scene_with_content_keeps_its_settings_and_says_so(capture: Any, scene: Any) -> None:
    scene.collection.objects.link(bpy.data.objects.new("mine", bpy.data.cameras.new("mine")))
    scene.camera = bpy.data.objects["mine"]
    scene.view_settings.view_transform = "AgX"
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    built = build(capture)
    assert scene.camera.name == "mine"
    assert (scene.render.resolution_x, scene.render.resolution_y) == (640, 360)
    assert scene.view_settings.view_transform == "AgX"
    (warning,) = built.warnings
    assert "AgX" in warning and "Standard" in warning


def test_a_scene_that_is_not_the_current_one(capture: Any, scene: Any) -> None:
    other = bpy.data.scenes.new("other")
    built = build(capture, other)
    assert other.camera == built.cameras[capture.reference]
    assert len(scene.objects) == 0
    expected = built.root.matrix_world @ built.cameras[0].matrix_local
    np.testing.assert_allclose(built.cameras[0].matrix_world, expected, atol=1e-6)


def test_from_a_loaded_reconstruction_it_is_the_same(capture: Any, tmp_path: Path) -> None:
    """Must show: a scene built from a loaded Reconstruction equals the one built directly."""
    from vggt_addon.scene.save import new_file

    direct = described(build(capture))
    loaded = Reconstruction.load(capture.save(tmp_path / "capture"))
    new_file()
    again = described(build(loaded))
    assert again.keys() == direct.keys()
    for name, description in direct.items():
        assert again[name] == description, name


def test_building_twice_makes_two_captures_that_share_groups_and_photos(capture: Any) -> None:
    first, second = build(capture), build(capture)
    for built in (first, second):
        for view, camera in zip(capture.views, built.cameras, strict=True):
            assert built.camera(view.name) == camera
    assert first.camera("photo_1.png") != second.camera("photo_1.png")
    assert len(bpy.data.node_groups) == 2
    assert len(bpy.data.images) == 4
    with pytest.raises(KeyError):
        first.camera("nobody.png")


@pytest.mark.parametrize("asked", range(12))
def test_a_cancel_leaves_nothing_behind(capture: Any, asked: int) -> None:
    """Cancelled at the first, second, ... time that build asks."""
    before = everything()
    answers = iter([False] * asked + [True] * 100)
    with pytest.raises(Cancelled):
        build(capture, cancel=lambda: next(answers))
    assert everything() == before


def test_a_failure_leaves_nothing_behind(capture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()

    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("vggt_addon.scene.reliefs.photo_material", fail)
    with pytest.raises(MemoryError):
        build(capture)
    assert everything() == before


def test_progress_never_falls_and_ends_at_one(capture: Any) -> None:
    told: list[float] = []
    build(capture, progress=lambda stage, fraction: told.append(fraction))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_a_missing_photo_warns_and_the_rest_goes_on(capture: Any, tmp_path: Path) -> None:
    gone = dataclasses.replace(capture.views[2], photo=tmp_path / "gone.png")
    views = (*capture.views[:2], gone, *capture.views[3:])
    built = build(capture.replace(views=views))
    (warning,) = built.warnings
    assert "gone.png" in warning
    assert len(built.cameras) == len(built.reliefs) == 4


def test_points_and_reliefs_can_be_left_out(capture: Any) -> None:
    built = build(capture, settings=BuildSettings(points=False, reliefs=False))
    assert built.points is None and built.reliefs == ()
    assert [child.name for child in built.collection.children] == ["Cameras"]


def test_cameras_alone_are_enough(capture: Any) -> None:
    bare = [
        dataclasses.replace(v, depth=None, confidence=None, relief_depth=None, depth_edge=None, color=None)
        for v in capture.views
    ]
    built = build(capture.replace(views=tuple(bare), points=None))
    assert len(built.cameras) == 4 and built.points is None and built.reliefs == ()


def test_names_that_blender_would_not_take(capture: Any) -> None:
    names = ["caf\udce9.jpg", "x" * 5000, "", "a\n%s{}.jpg"]
    views = [dataclasses.replace(view, name=name) for view, name in zip(capture.views, names, strict=False)]
    weights = {"k" * 200: "v", "\u6f22" * 200: "\ud800"}
    built = build(capture.replace(views=tuple(views), weights=weights), settings=BuildSettings(name="caf\udce9"))
    assert [camera["photo"] for camera in built.cameras] == [view.name for view in views]
    assert built.camera(names[0]).name == "caf?.jpg"
    assert len(built.reliefs) == len(views)
