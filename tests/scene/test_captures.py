"""Captures in a scene: found, shown, removed and rebuilt, and what the artist added stays."""

import dataclasses
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.scene.build import BuildSettings, build, run_to_the_end
from vggt_addon.scene.captures import capture_of, captures, rebuild_steps, remove_capture, set_visible, visible
from vggt_addon.scene.datablocks import KINDS, UNFINISHED
from vggt_addon.scene.root import RADIUS, THRESHOLD, set_slider


def everything() -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def mine(parent: Any = None, name: str = "mine") -> Any:
    """An empty of the artist's own, turned and away from everything, below `parent`."""
    own = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(own)
    own.parent = parent
    own.matrix_parent_inverse = Matrix.Rotation(0.3, 4, "Y")
    own.location = (1.0, 2.0, 3.0)
    bpy.context.view_layer.update()
    return own


def place(thing: Any) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array(thing.matrix_world)


def rebuilt(root: Any, capture: Reconstruction, settings: BuildSettings = BuildSettings()) -> Any:  # noqa: B008
    built = run_to_the_end(rebuild_steps(root, capture, settings))
    bpy.context.view_layer.update()
    return built


def test_captures_are_found_oldest_first(capture: Any, scene: Any) -> None:
    first = build(capture, settings=BuildSettings(name="z")).root
    second = build(capture, settings=BuildSettings(name="a")).root
    mine()
    assert captures(scene) == [first, second]
    assert captures(bpy.data.scenes.new("other")) == []


def test_what_belongs_to_a_capture(capture: Any) -> None:
    built = build(capture)
    for part in (built.root, built.points, *built.cameras, *built.reliefs):
        assert capture_of(part) == built.root
    assert capture_of(mine(built.cameras[0])) == built.root
    assert capture_of(mine()) is None


@pytest.mark.parametrize("kind", ["cameras", "points", "reliefs"])
def test_a_kind_is_hidden_and_shown_in_viewports_and_renders(capture: Any, kind: str) -> None:
    built = build(capture)
    of_kind = {"cameras": built.cameras, "points": (built.points,), "reliefs": built.reliefs}
    own = mine(built.root)
    set_visible(built.root, kind, False)
    for other, members in of_kind.items():
        assert visible(built.root, other) is (other != kind)
        assert {part.hide_viewport for part in members} == {part.hide_render for part in members} == {other == kind}
    assert not own.hide_viewport
    set_visible(built.root, kind, True)
    assert visible(built.root, kind) and not any(part.hide_render for part in of_kind[kind])


def test_what_is_not_there_is_not_visible(capture: Any) -> None:
    root = build(capture, settings=BuildSettings(points=False)).root
    set_visible(root, "points", True)
    assert not visible(root, "points")


def test_removing_leaves_the_scene_as_it_was(capture: Any) -> None:
    mine()
    before = everything()
    remove_capture(build(capture).root)
    groups = [group for group in bpy.data.node_groups if not group.users]
    bpy.data.batch_remove(groups)  # shared by all captures of a file; Blender drops them when it is saved
    assert everything() == before


def test_removing_one_of_two_leaves_the_other_whole(capture: Any) -> None:
    first, second = build(capture), build(capture)
    remove_capture(first.root)
    assert captures(bpy.context.scene) == [second.root]
    assert len(second.collection.all_objects) == 10
    assert {camera.data.background_images[0].image for camera in second.cameras} == set(bpy.data.images)


def test_what_the_artist_added_stays_where_it_stands(capture: Any, scene: Any) -> None:
    built = build(capture)
    below_root, below_camera, below_relief = (
        mine(parent, name) for parent, name in ((built.root, "a"), (built.cameras[2], "b"), (built.reliefs[0], "c"))
    )
    group = built.collection.children["Cameras"]
    group.objects.link(below_camera)
    paint = bpy.data.materials.new("paint")
    below_relief_mesh = bpy.data.objects.new("d", built.reliefs[1].data)  # uses a relief's mesh for his own purpose
    scene.collection.objects.link(below_relief_mesh)
    places = [place(own) for own in (below_root, below_camera, below_relief)]
    remove_capture(built.root)
    for own, before in zip((below_root, below_camera, below_relief), places, strict=True):
        assert own.parent is None
        np.testing.assert_allclose(place(own), before, atol=1e-4)
    assert group.objects[:] == [below_camera] and group.name in bpy.data.collections
    assert paint.name in bpy.data.materials
    assert below_relief_mesh.data.materials[0] is not None and len(bpy.data.meshes) == 1
    assert len(bpy.data.images) == 1  # his copy shows it
    assert captures(scene) == []


def test_rebuilt_it_is_the_same_capture_in_the_same_place(capture: Any, helper: Any) -> None:
    described = helper("scene/test_build.py").described
    built = build(capture)
    before, datablocks = described(built), everything()
    again = rebuilt(built.root, capture)
    assert everything() == datablocks
    found = described(again)
    assert found.keys() == before.keys()
    for name, description in before.items():
        assert found[name] == description, name


def test_a_rebuilds_progress_never_falls(capture: Any) -> None:
    many = [dataclasses.replace(capture.views[0], name=f"{number}.png", identity=str(number)) for number in range(14)]
    root = build(capture.replace(views=tuple(many), points=None)).root
    fractions = [fraction for _, fraction in rebuild_steps(root, capture)]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and 0.9 < fractions[-1] <= 1.0
    assert len(root.children) == 9


def test_name_transform_and_sliders_are_kept(capture: Any, scene: Any) -> None:
    built = build(capture)
    root = built.root
    root.name, root.location, root.scale = "Shed", (1.0, 2.0, 3.0), (2.0, 2.0, 2.0)
    set_slider(root, THRESHOLD, 0.75)
    set_slider(root, RADIUS, 0.5)
    set_visible(root, "cameras", False)
    before = place(root)
    camera_before = place(built.cameras[1])
    again = rebuilt(root, capture, BuildSettings(confidence_threshold=0.1))
    assert again.root == root and root.name == "Shed"
    np.testing.assert_array_equal(place(root), before)
    np.testing.assert_allclose(place(again.cameras[1]), camera_before, atol=1e-5)
    assert (root[THRESHOLD], root[RADIUS]) == (0.75, 0.5)
    assert not visible(root, "cameras") and visible(root, "reliefs")
    shown = [thing.name for thing in scene.objects]
    assert sorted(shown) == sorted(thing.name for thing in built.collection.all_objects) and len(shown) == 10


def test_what_pointed_to_a_part_points_to_the_new_one(capture: Any, scene: Any) -> None:
    built = build(capture)
    own = mine(built.cameras[3])
    constraint = mine(name="aimed").constraints.new("TRACK_TO")
    constraint.target = built.reliefs[0]
    scene.camera = built.cameras[2]
    names = [camera.name for camera in built.cameras]
    before = place(own)
    again = rebuilt(built.root, capture)
    assert own.parent == again.cameras[3]
    np.testing.assert_allclose(place(own), before, atol=1e-5)
    assert constraint.target == again.reliefs[0]
    assert scene.camera == again.cameras[2]
    assert [camera.name for camera in again.cameras] == names


def test_a_changed_reconstruction_stands_where_the_old_one_stood(capture: Any) -> None:
    """Fewer views and points: another origin, the same place for what is in both."""
    built = build(capture)
    built.root.location.x += 4.0
    places = {camera["photo"]: place(camera) for camera in built.cameras}
    origin = list(built.root["world_origin"])
    fewer = capture.replace(views=capture.views[:2], points=None, reference=0)
    again = rebuilt(built.root, fewer)
    assert list(again.root["world_origin"]) != origin
    assert again.points is None and len(built.root.children) == 4
    for camera in again.cameras:
        np.testing.assert_allclose(place(camera), places[camera["photo"]], atol=2e-3)
    assert len(bpy.data.images) == 2 and not [one for one in bpy.data.collections if one.name.startswith("Points")]


def test_a_part_whose_photo_is_gone_lets_go_of_what_the_artist_hung_on_it(capture: Any) -> None:
    built = build(capture)
    own = mine(built.cameras[3])
    before = place(own)
    rebuilt(built.root, capture.replace(views=capture.views[:3], points=None))
    assert own.parent is None
    np.testing.assert_allclose(place(own), before, atol=1e-4)


def test_a_root_in_the_artists_own_collection_is_rebuilt_beside_it(capture: Any, scene: Any) -> None:
    built = build(capture)
    own = bpy.data.collections.new("own")
    scene.collection.children.link(own)
    own.objects.link(built.root)
    built.collection.objects.unlink(built.root)
    again = rebuilt(built.root, capture)
    assert built.root.users_collection == (own,)
    assert again.collection.name in own.children
    assert len(again.collection.all_objects) == 9


def test_a_rebuild_given_up_leaves_the_old_one_as_it_was(capture: Any, helper: Any) -> None:
    described = helper("scene/test_build.py").described
    built = build(capture)
    before, datablocks = described(built), everything()
    for number in range(1, 100):
        steps = rebuild_steps(built.root, capture)
        if [next(steps)[1] for _ in range(number)][-1] > 0.9:
            break
        assert visible(built.root, "reliefs")
        steps.close()
        assert everything() == datablocks
        assert described(built) == before
    assert number > 12


def test_closed_while_it_clears_the_old_one_away_the_new_one_is_whole(capture: Any, scene: Any) -> None:
    built = build(capture)
    before = everything()
    steps = rebuild_steps(built.root, capture)
    while next(steps)[1] <= 0.9:
        pass
    assert len(scene.objects) == 10 and len(bpy.data.objects) == 19
    assert len(built.root.children) == 18 and visible(built.root, "cameras")
    steps.close()
    assert {kind: len(names) for kind, names in everything().items()} == {
        kind: len(names) for kind, names in before.items()
    }
    assert len(scene.objects) == 10 and not [item for item in bpy.data.objects if UNFINISHED in item]


def test_a_damaged_origin_is_no_trouble(capture: Any) -> None:
    built = build(capture)
    built.root["world_origin"] = "nonsense"
    before = place(built.root)
    again = rebuilt(built.root, dataclasses.replace(capture, points=None))
    np.testing.assert_array_equal(place(again.root), before)
    assert len(built.root["world_origin"]) == 3


def test_one_undo_takes_the_rebuild_back(capture: Any) -> None:
    built = build(capture)
    bpy.ops.ed.undo_push(message="Build")
    name = built.root.name
    rebuilt(built.root, capture.replace(views=capture.views[:2], points=None))
    bpy.ops.ed.undo_push(message="Rebuild")
    bpy.ops.ed.undo()
    root = bpy.data.objects[name]
    assert len(root.children) == 9 and len(bpy.data.meshes) == 5
    bpy.ops.ed.redo()
    root = bpy.data.objects[name]
    assert len(root.children) == 4 and len(bpy.data.meshes) == 2
