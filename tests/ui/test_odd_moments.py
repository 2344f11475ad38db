"""What an artist does at an odd moment: opens a file, renames, links, rebuilds while something else is under way."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import bpy
import pytest

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.scene.datablocks import KINDS, UNFINISHED
from vggt_addon.ui import asking, controller, homes, places, thumbnails, wording
from vggt_addon.ui.building import bring_home
from vggt_addon.ui.preferences import absolute

pytestmark = pytest.mark.usefixtures("enabled")
USER_FOLDER = places.user_folder  # before the tests' own takes its place


@pytest.mark.parametrize("stage", ["Reading the result", "Reliefs"])
def test_another_file_opened_while_the_scene_is_built_gets_nothing_of_it(
    listed: list[Path],
    stage: str,
    user_files: Path,
    tick_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(controller, "SLICE_SECONDS", 0.0)
    load = Reconstruction.load

    def slowly(folder: Path) -> Reconstruction:  # so that no tick misses it
        time.sleep(0.5)
        return load(folder)

    monkeypatch.setattr(Reconstruction, "load", slowly)
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().name == stage)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not controller.busy()
    for _ in range(5):
        controller.tick()
    assert not controller.busy()
    assert not bpy.context.scene.objects
    tick_until(lambda: not any((user_files / "jobs").iterdir()))
    sentence = controller.session().message.sentence
    if stage == "Reliefs":  # it was finished: nobody should have to wait for it again
        (folder,) = (user_files / "captures").iterdir()
        assert str(folder) in sentence
    assert "Another file was opened" in sentence


def test_a_file_that_blender_saved_by_itself_during_a_build_opens_without_the_half_of_it(
    listed: list[Path], tmp_path: Path, tick_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut: the file is opened by a Blender that has built nothing yet."""
    monkeypatch.setattr(controller, "SLICE_SECONDS", 0.0)
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().name == "Reliefs")
    saved = tmp_path / "saved by Blender.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(saved), copy=True)
    controller.stop()
    controller.start()
    with bpy.data.libraries.load(str(saved)) as (there, _):
        assert there.objects or there.meshes or there.materials, "nothing of it was saved"
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    marked = [thing.name for kind in KINDS for thing in getattr(bpy.data, kind) if UNFINISHED in thing]
    assert marked == []
    assert len(bpy.context.scene.vggt.photos) == 3


def test_the_scene_that_was_asked_for_gets_the_capture_whatever_it_is_called_by_then(
    listed: list[Path], tick_until: Callable[..., None]
) -> None:
    asked = bpy.context.scene
    bpy.ops.vggt.reconstruct()
    asked.name = "Garden"
    other = bpy.data.scenes.new("Scene")
    tick_until(lambda: not controller.busy())
    assert controller.session().message is None
    assert len([thing for thing in bpy.data.scenes["Garden"].objects if thing.type == "CAMERA"]) == 3
    assert not other.objects
    root = next(thing for thing in asked.objects if "capture_id" in thing)
    assert bpy.ops.vggt.rebuild_capture() == {"FINISHED"}
    root.name = "My capture"
    tick_until(lambda: not controller.busy())
    assert [thing.name for thing in asked.objects if "capture_id" in thing] == ["My capture"]


def test_nothing_is_rebuilt_while_a_run_is_under_way(listed: list[Path], tick_until: Callable[..., None]) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    bpy.ops.vggt.reconstruct()
    assert not bpy.ops.vggt.rebuild_capture.poll()
    assert not bpy.ops.vggt.remove_capture.poll()
    bpy.ops.vggt.cancel()
    tick_until(lambda: not controller.busy())
    assert bpy.ops.vggt.rebuild_capture.poll()
    assert bpy.ops.vggt.remove_capture.poll()


@pytest.fixture
def saved_capture(helper: Callable[[str], ModuleType], tmp_path: Path) -> Path:
    """A small capture on disk, as a run leaves it."""
    made = helper("scene/synthetic.py").capture(tmp_path / "pictures", count=2)
    return made.save(tmp_path / "result")


@pytest.fixture
def chosen() -> Iterator[bpy.types.AddonPreferences]:
    """The page of preferences, as it is where the add-on is installed."""
    entry = bpy.context.preferences.addons.new()
    entry.module = places.ADDON
    yield entry.preferences
    bpy.context.preferences.addons.remove(entry)


def test_a_wrong_python_that_is_put_right_is_right_at_once(
    chosen: bpy.types.AddonPreferences, small_photos: list[Path], tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    chosen.python = str(tmp_path / "no python")
    bpy.ops.vggt.add_folder(directory=f"{small_photos[0].parent}/")
    tick_until(lambda: controller.session().message)
    assert "preferences" in controller.session().message.sentence
    chosen.python = ""
    tick_until(lambda: all(photo.width for photo in bpy.context.scene.vggt.photos))
    tick_until(lambda: controller.session().planned)


@pytest.mark.parametrize("path", ["//bin/python", "bin/python"])
def test_no_blend_says_which_program_is_run(path: str) -> None:
    assert absolute(path) == ""
    assert absolute(sys.executable) == sys.executable


def test_where_nothing_can_be_written_there_is_a_sentence(
    small_photos: list[Path], monkeypatch: pytest.MonkeyPatch, tick_until: Callable[..., None]
) -> None:
    monkeypatch.setattr(places, "user_folder", USER_FOLDER)
    find = bpy.utils.user_resource

    def refused(kind: str, **how: object) -> str:
        """What Blender says where it cannot make the folder; its own folders are there."""
        return "" if kind == "DATAFILES" else find(kind, **how)

    monkeypatch.setattr(bpy.utils, "user_resource", refused)
    monkeypatch.setattr(bpy.utils, "extension_path_user", lambda *_, **__: "")  # what it is asked where it is installed
    assert bpy.ops.vggt.add_folder(directory=f"{small_photos[0].parent}/") == {"FINISHED"}
    tick_until(lambda: all(photo.width for photo in bpy.context.scene.vggt.photos))
    with pytest.raises(RuntimeError, match="make that folder writable"):
        bpy.ops.vggt.reconstruct()
    assert not controller.busy()


def test_a_capture_that_cannot_live_beside_the_blend_lives_with_the_user(
    saved_capture: Path, tmp_path: Path, user_files: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    (tmp_path / "a.captures").write_text("in the way")
    home = bring_home(saved_capture, homes.homes("\U0001f34c" * 63)())
    assert home.parent == user_files / "captures"
    assert (home / "reconstruction.json").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode")
def test_a_name_that_is_no_unicode_is_a_photo_like_any_other(
    small_photos: list[Path], tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    odd = tmp_path / "caf\udce9.jpg"
    odd.write_bytes(small_photos[0].read_bytes())
    damaged = tmp_path / "damaged \udce9.jpg"
    damaged.write_bytes(b"no picture")
    assert bpy.ops.vggt.add_folder(directory=f"{tmp_path}/") == {"FINISHED"}
    photos = bpy.context.scene.vggt.photos
    tick_until(lambda: photos[0].width and photos[1].problem)
    assert photos[0].path == str(odd)
    assert thumbnails._key(str(odd)) in thumbnails._icons
    assert controller.session().message is None
    assert bpy.ops.vggt.set_reference() == {"FINISHED"}
    assert bpy.context.scene.vggt.reference == str(odd)


def test_whatever_is_told_can_be_shown() -> None:
    assert wording.shown("a\0b\udce9\x1b") == "a b? "
    assert len(wording.shown("x" * 5_000_000)) == wording.LONGEST


def test_a_photo_that_was_moved_away_keeps_no_other_from_being_looked_at(
    small_photos: list[Path], tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    gone = tmp_path / "gone.jpg"
    files = [{"name": "gone.jpg"}]
    assert bpy.ops.vggt.add_photos(directory=f"{tmp_path}/", files=files) == {"FINISHED"}
    bpy.ops.vggt.add_folder(directory=f"{small_photos[0].parent}/")
    photos = bpy.context.scene.vggt.photos
    tick_until(lambda: photos[0].problem and all(photo.width for photo in list(photos)[1:]))
    assert str(gone) in photos[0].problem
    assert asking.chosen_photos(bpy.context.scene.vggt) == [str(path) for path in small_photos]
    assert controller.session().message is None


def test_an_undo_of_something_else_asks_the_worker_nothing(listed: list[Path], tick_until: Callable[..., None]) -> None:
    tick_until(lambda: controller.session().planned)
    planned = controller.session().planned
    bpy.context.scene.frame_end = 99
    bpy.ops.ed.undo_push(message="frame")
    bpy.ops.ed.undo()
    assert bpy.context.scene.frame_end != 99
    for _ in range(5):
        controller.tick()
    assert controller.session().planned is planned
    bpy.context.scene.vggt.depth_size = 256
    bpy.ops.ed.undo_push(message="detail")
    bpy.ops.ed.undo()
    assert controller.session().planned is None


def test_a_number_that_no_list_has_is_no_photo(small_photos: list[Path]) -> None:
    bpy.ops.vggt.add_folder(directory=f"{small_photos[0].parent}/")
    bpy.context.scene.vggt.active_photo = -7
    for operator in (bpy.ops.vggt.remove_photo, bpy.ops.vggt.set_reference, bpy.ops.vggt.move_photo):
        assert operator() == {"CANCELLED"}
    assert len(bpy.context.scene.vggt.photos) == 3


def test_a_camera_of_the_artists_own_is_not_looked_through_as_a_photo(
    saved_capture: Path, tick_until: Callable[..., None]
) -> None:
    assert bpy.ops.vggt.open_capture(directory=str(saved_capture)) == {"FINISHED"}
    tick_until(lambda: not controller.busy())
    scene = bpy.context.scene
    mine = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(mine)
    mine.parent = next(thing for thing in scene.objects if "capture_id" in thing)
    bpy.context.view_layer.objects.active = mine
    assert bpy.ops.vggt.look_through() == {"FINISHED"}
    assert "photo" in scene.camera


def test_the_first_of_the_list_is_the_reference_whatever_its_name(
    small_photos: list[Path], tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.add_folder(directory=f"{small_photos[0].parent}/")
    properties = bpy.context.scene.vggt
    tick_until(lambda: all(photo.width for photo in properties.photos))

    def asked() -> str:
        return asking.run_settings(properties).engine_settings.reference

    assert asked() == ""  # a run takes the first by name anyway
    properties.active_photo = 2
    bpy.ops.vggt.move_photo(direction="UP")
    bpy.ops.vggt.move_photo(direction="UP")
    assert asked() == str(small_photos[2])
    properties.photos[0].use = False
    assert asked() == ""
    properties.reference = properties.photos[2].path
    assert asked() == str(small_photos[1])


def test_a_plan_is_shown_of_its_own_scene_only(listed: list[Path], tick_until: Callable[..., None]) -> None:
    tick_until(lambda: controller.session().planned)
    assert controller.planned(bpy.context.scene) is controller.session().planned
    assert controller.planned(bpy.data.scenes.new("other")) is None


def test_a_capture_that_is_linked_from_another_file_is_left_alone(
    saved_capture: Path, tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.open_capture(directory=str(saved_capture))
    tick_until(lambda: not controller.busy())
    name = next(one.name for one in bpy.context.scene.collection.children)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "a.blend"), link=True) as (_, taken):
        taken.collections = [name]
    bpy.context.scene.collection.children.link(taken.collections[0])
    assert bpy.ops.vggt.look_through.poll()
    assert not bpy.ops.vggt.rebuild_capture.poll()
    assert not bpy.ops.vggt.remove_capture.poll()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "b.blend"))
    assert not (tmp_path / "b.captures").exists()
