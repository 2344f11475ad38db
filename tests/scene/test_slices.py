"""Building in slices while the artist works: the same capture, nothing in the scene before the end or left over."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import bpy
import pytest

from vggt_addon.errors import UserError
from vggt_addon.scene.build import BuildSettings, build, build_steps
from vggt_addon.scene.datablocks import KINDS, UNFINISHED, remove_unfinished
from vggt_addon.scene.prepare import prepare
from vggt_addon.scene.root import THRESHOLD, set_slider


def everything() -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def finished(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def slices_of(capture: Any) -> int:
    from vggt_addon.scene.save import new_file

    count = sum(1 for _ in build_steps(capture))
    new_file()
    return count


@pytest.fixture
def undo() -> Iterator[None]:
    """An undo history: in background Blender has one from the first step pushed."""
    bpy.ops.ed.undo_push(message="Start")
    yield


def test_it_is_the_capture_that_build_makes(capture: Any, helper: Any, measures: ModuleType) -> None:
    from vggt_addon.scene.save import new_file

    described = helper("scene/test_build.py").described
    expected = described(build(capture))
    new_file()
    built = finished(build_steps(capture, prepared=prepare(capture)))
    bpy.context.view_layer.update()
    found = described(built)
    assert found.keys() == expected.keys()
    for name, description in expected.items():
        assert found[name] == description, name
    view, relief, camera = capture.views[1], built.reliefs[1], built.cameras[1]
    set_slider(built.root, THRESHOLD, 0.0)
    picture, shown = measures.render(camera, [relief])
    assert shown.mean() >= 0.85
    assert measures.psnr(picture, measures.read(view.photo), shown) >= 45
    assert measures.shift(measures.read(view.photo), picture, shown) < 0.1


def test_in_a_window_it_is_the_same_capture(capture: Any, helper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vggt_addon.scene.save import new_file

    described = helper("scene/test_build.py").described
    expected = described(build(capture))
    new_file()
    monkeypatch.setattr("vggt_addon.scene.parts.can_undo", lambda: True)
    found = described(build(capture))
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_nothing_is_in_the_scene_before_the_last_slice(capture: Any, scene: Any) -> None:
    fractions = []
    for _, fraction in (steps := build_steps(capture)):
        fractions.append(fraction)
        assert not scene.objects and not scene.collection.children and scene.camera is None
    assert len(scene.objects) == 10
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and 0.8 < fractions[-1] < 1.0
    assert len(fractions) > 12
    steps.close()


def test_no_mark_is_left_when_it_is_complete(capture: Any) -> None:
    finished(build_steps(capture))
    assert not [item for kind in KINDS for item in getattr(bpy.data, kind) if UNFINISHED in item]
    assert remove_unfinished() == 0
    assert len(bpy.context.scene.objects) == 10


def test_given_up_after_any_slice_it_leaves_nothing_and_the_artists_own_stays(capture: Any, scene: Any) -> None:
    for number in range(1, slices_of(capture) + 1):
        before = everything()
        steps = build_steps(capture)
        for _ in range(number):
            next(steps)
        mine = bpy.data.objects.new("mine", bpy.data.meshes.new("my mesh"))
        bpy.context.scene.collection.objects.link(mine)
        mine.data.materials.append(bpy.data.materials.new("my paint"))
        steps.close()
        assert mine.name in bpy.context.scene.objects
        bpy.data.batch_remove([mine.data.materials[0], mine.data, mine])
        assert everything() == before, number


def test_a_picture_that_the_artist_has_begun_to_use_stays(capture: Any) -> None:
    steps = build_steps(capture)
    for _ in range(4):
        next(steps)
    image = bpy.data.images[0]
    empty = bpy.data.objects.new("mine", None)
    empty.empty_display_type, empty.data = "IMAGE", image
    steps.close()
    assert [item.name for item in bpy.data.images] == [image.name]
    assert empty.data == image and UNFINISHED not in image


def test_an_error_in_the_last_slice_leaves_nothing(capture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise MemoryError

    before = everything()
    monkeypatch.setattr("vggt_addon.scene.build.look_through", fail)
    with pytest.raises(MemoryError):
        finished(build_steps(capture))
    assert everything() == before


def test_two_builds_at_once_do_not_mix(capture: Any) -> None:
    first, second = build_steps(capture), build_steps(capture, settings=BuildSettings(name="second"))
    for _ in range(8):
        next(first)
        next(second)
    first.close()
    assert remove_unfinished() == 0  # the second goes on
    built = finished(second)
    assert len(built.collection.all_objects) == 10
    assert [child.name for child in bpy.context.scene.collection.children] == ["second"]
    assert len(bpy.data.images) == 4


@pytest.mark.parametrize("number", [1, 6, 12])
def test_a_purge_in_the_middle_is_one_sentence(capture: Any, number: int) -> None:
    before = everything()
    steps = build_steps(capture)
    for _ in range(number):
        next(steps)
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    with pytest.raises(UserError, match="Build it again"):
        finished(steps)
    assert everything() == before


def test_a_scene_removed_in_the_middle_is_one_sentence(capture: Any) -> None:
    other = bpy.data.scenes.new("other")
    before = everything()
    steps = build_steps(capture, other)
    for _ in range(5):
        next(steps)
    bpy.data.scenes.remove(other)
    with pytest.raises(UserError, match="Build it again"):
        finished(steps)
    before["scenes"].remove("other")
    assert everything() == before


def test_one_undo_takes_all_of_it_and_one_redo_brings_it_back_alive(capture: Any, undo: None) -> None:
    finished(build_steps(capture))
    bpy.ops.ed.undo_push(message="Build")
    bpy.ops.ed.undo()
    assert not bpy.context.scene.objects and not bpy.data.meshes and not bpy.data.images
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    assert len(scene.objects) == 10 and scene.camera is not None
    root = next(thing for thing in scene.objects if "capture_id" in thing)
    relief = next(thing for thing in scene.objects if thing.get("capture_part") == "relief")
    shown = []
    for threshold in (0.0, 0.5):
        set_slider(root, THRESHOLD, threshold)
        bpy.context.view_layer.update()
        shown.append(len(relief.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.polygons))
    assert 0 < shown[1] < shown[0]


@pytest.mark.parametrize("number", [2, 5, 9, 14])
def test_an_undo_in_the_middle_and_a_new_beginning(capture: Any, undo: None, number: int) -> None:
    """The artist moves something between two slices (his undo step holds our half), undoes it, and redoes it."""
    mine = bpy.data.objects.new("mine", None)
    bpy.context.scene.collection.objects.link(mine)
    bpy.ops.ed.undo_push(message="Add")
    steps = build_steps(capture)
    for _ in range(number):
        next(steps)
    mine.location.x = 5.0
    bpy.ops.ed.undo_push(message="Move")
    next(steps)
    steps.close()
    del steps
    bpy.ops.ed.undo()
    remove_unfinished()
    assert [thing.name for thing in bpy.data.objects] == ["mine"]
    bpy.ops.ed.redo()
    assert len(bpy.data.objects) > 1  # Blender brings our half back ...
    assert remove_unfinished() > 0  # ... and we take it away
    assert [thing.name for thing in bpy.data.objects] == ["mine"]
    assert not bpy.data.meshes and not bpy.data.images and not bpy.data.collections
    assert bpy.data.objects["mine"].location.x == 5.0
    finished(build_steps(capture))
    bpy.ops.ed.undo_push(message="Build")
    assert len(bpy.context.scene.objects) == 11
    bpy.ops.ed.undo()
    remove_unfinished()
    assert [thing.name for thing in bpy.context.scene.objects] == ["mine"]
    bpy.ops.ed.redo()
    assert len(bpy.context.scene.objects) == 11 and remove_unfinished() == 0


def test_closed_only_after_the_undo_it_touches_nothing_that_is_gone(capture: Any, undo: None) -> None:
    mine = bpy.data.objects.new("mine", None)
    bpy.context.scene.collection.objects.link(mine)
    bpy.ops.ed.undo_push(message="Add")
    steps = build_steps(capture)
    for _ in range(9):
        next(steps)
    bpy.ops.ed.undo()  # back to the step before: none of the parts exists any more
    steps.close()
    assert not bpy.data.objects and not bpy.data.meshes and not bpy.data.images


def test_a_file_saved_in_the_middle_is_cleared_when_it_is_opened(capture: Any, tmp_path: Any) -> None:
    steps = build_steps(capture)
    for _ in range(9):
        next(steps)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "half.blend"), copy=True)
    steps.close()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "half.blend"))
    remove_unfinished()
    assert not bpy.data.objects and not bpy.data.images and not bpy.data.collections


def test_what_another_file_holds_is_left_to_it(capture: Any, tmp_path: Any) -> None:
    steps = build_steps(capture)
    for _ in range(9):
        next(steps)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "half.blend"), copy=True)
    steps.close()
    with bpy.data.libraries.load(str(tmp_path / "half.blend"), link=True) as (there, linked):
        linked.objects = there.objects[:1]
    assert UNFINISHED in linked.objects[0]
    assert remove_unfinished() == 0
    assert linked.objects[0].name in bpy.data.objects
