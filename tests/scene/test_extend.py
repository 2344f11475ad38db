"""Photos added to a capture in the scene: what is new comes, what the artist has made of the rest stays."""

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.scene.build import BuildSettings, build, run_to_the_end
from vggt_addon.scene.captures import extend_steps, parts, remove_capture, set_visible
from vggt_addon.scene.datablocks import KINDS, UNFINISHED
from vggt_addon.scene.parts import BuiltCapture
from vggt_addon.scene.prepare import prepare
from vggt_addon.scene.root import THRESHOLD, set_slider, world_origin
from vggt_addon.scene.summary import read_summary


def first(capture: Reconstruction, count: int) -> Reconstruction:
    """The capture as it was before its last views were added."""
    points = capture.points
    assert points is not None
    kept = points.view < count
    fields = {name: getattr(points, name)[kept] for name in ("position", "color", "confidence", "view")}
    cloud = type(points)(**fields, spacing=points.spacing)
    return capture.replace(views=capture.views[:count], points=cloud)


def extended(root: Any, capture: Reconstruction) -> BuiltCapture:
    prepared = prepare(capture, world_origin(root))
    built = run_to_the_end(extend_steps(root, capture, prepared=prepared))
    bpy.context.view_layer.update()
    return built


def everything() -> dict[str, set[str]]:
    return {kind: {item.name for item in getattr(bpy.data, kind)} for kind in KINDS}


def test_one_camera_relief_and_photo_more(capture: Any) -> None:
    before = build(first(capture, 3), settings=BuildSettings(name="yard"))
    standing = everything()
    origin = list(before.root["world_origin"])
    built = extended(before.root, capture)
    added = {kind: names - standing[kind] for kind, names in everything().items()}
    name = capture.views[3].name
    assert added["cameras"] == {name} and added["objects"] == {name, f"{name} relief"}
    assert added["images"] == {name} and added["meshes"] == {f"{name} relief"} and added["materials"] == {name}
    assert not added["collections"] and not added["node_groups"]
    assert all(standing[kind] <= names for kind, names in everything().items())
    assert list(before.root["world_origin"]) == origin
    (camera,) = built.cameras
    assert (
        camera.parent == before.root and camera.users_collection[0].name == before.cameras[0].users_collection[0].name
    )
    assert camera.data.background_images[0].image.name == name
    assert len(before.points.data.vertices) == len(capture.points.position)
    summary = read_summary(before.root)
    assert summary is not None and summary.photos_placed == 4 and summary.points == len(capture.points.position)
    assert not [thing for kind in KINDS for thing in getattr(bpy.data, kind) if UNFINISHED in thing]


def test_the_new_camera_sees_what_a_fresh_build_shows(capture: Any) -> None:
    """Places are told from the origin that the root has, not from that of the whole capture."""
    built = extended(build(first(capture, 3)).root, capture)
    fresh = build(capture)
    pairs = [(built.cameras[0], fresh.cameras[3]), (built.reliefs[0], fresh.reliefs[3]), (built.points, fresh.points)]
    for ours, theirs in pairs:
        np.testing.assert_allclose(_places(ours), _places(theirs), atol=2e-3)


def _places(thing: Any) -> np.ndarray:
    """Points of a camera's frame, or some of a mesh's, in Blender's world."""
    points = [(0, 0, 0), (0, 0, -1), (1, 0, -1)]
    if thing.type != "CAMERA":
        points = [vertex.co for vertex in list(thing.data.vertices)[::97]]
    return np.array([thing.matrix_world @ Vector(point) for point in points])


def test_what_the_artist_made_of_it_stays(capture: Any) -> None:
    built = build(first(capture, 3))
    set_slider(built.root, THRESHOLD, 0.8)
    built.root.location.x += 7.0
    relief, camera = built.reliefs[0], built.cameras[1]
    relief.location.z = 3.0
    relief.modifiers.new("mine", "SUBSURF")
    camera.data.lens *= 2
    bpy.data.objects.remove(built.cameras[2])
    paint = bpy.data.materials.new("paint")
    built.points.data.materials[0] = paint
    built.points.modifiers.new("wave", "WAVE")
    own = bpy.data.objects.new("mine", None)
    bpy.context.scene.collection.objects.link(own)
    own.parent = built.points
    lens = camera.data.lens
    extended(built.root, capture)
    assert built.root[THRESHOLD] == pytest.approx(0.8) and relief.location.z == 3.0 and "mine" in relief.modifiers
    assert camera.data.lens == lens and own.parent == built.points
    assert list(built.points.data.materials) == [paint] and "wave" in built.points.modifiers
    assert [one["photo"] for one in parts(built.root, "cameras")] == [
        capture.views[index].name for index in (0, 1, 3)
    ], "a camera that the artist removed does not come back"
    remove_capture(built.root)
    assert {thing.name for thing in bpy.data.objects} == {"mine"}


def test_hidden_and_missing_parts_stay_so(capture: Any) -> None:
    built = build(first(capture, 3), settings=BuildSettings(points=False))
    set_visible(built.root, "reliefs", False)
    made = extended(built.root, capture)
    assert made.points is None and made.reliefs[0].hide_viewport and made.reliefs[0].hide_render
    assert not made.cameras[0].hide_viewport
    bare = build(first(capture, 3), settings=BuildSettings(reliefs=False))
    assert not extended(bare.root, capture).reliefs


def test_a_root_in_a_collection_of_the_artists_own(capture: Any, scene: Any) -> None:
    built = build(first(capture, 3))
    own = bpy.data.collections.new("own")
    scene.collection.children.link(own)
    own.objects.link(built.root)
    built.collection.objects.unlink(built.root)
    made = extended(built.root, capture)
    assert made.cameras[0].name in own.all_objects


def test_given_up_in_the_middle_nothing_is_left(capture: Any) -> None:
    built = build(first(capture, 3))
    standing, vertices = everything(), len(built.points.data.vertices)
    slices = 0
    while True:
        steps = extend_steps(built.root, capture)
        try:
            for _ in range(slices):
                next(steps)
        except StopIteration:
            break
        steps.close()
        assert everything() == standing and len(built.points.data.vertices) == vertices
        slices += 1
    assert slices > 5
