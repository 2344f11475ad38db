"""A reconstruction from the button to the scene, cancelled, undone, saved; the real worker, no window."""

import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.ui import controller

pytestmark = pytest.mark.usefixtures("enabled")
FOREIGN = ("torch", "pycolmap", "cv2", "av", "huggingface_hub")  # PIL is the tests' own here


def _cameras() -> list[str]:
    return sorted(thing.name for thing in bpy.context.scene.objects if thing.type == "CAMERA")


def test_a_run_builds_its_scene_in_one_undo_step(
    listed: list[Path], user_files: Path, tick_until: Callable[..., None]
) -> None:
    known = {name for name in FOREIGN if name in sys.modules}
    assert bpy.ops.vggt.reconstruct() == {"FINISHED"}
    assert not bpy.ops.vggt.reconstruct.poll()
    stages: list[tuple[str, float]] = []

    def done() -> bool:
        if controller.busy():
            stages.append((controller.stage().name, controller.stage().fraction))
        return not controller.busy()

    tick_until(done)
    assert controller.session().message is None
    assert _cameras() == [path.name for path in listed]
    fractions = [fraction for _, fraction in stages]
    assert fractions == sorted(fractions)
    assert len({name for name, _ in stages}) > 4
    assert controller.timings().longest(building=False).work < 0.05  # the window's script holds it to less
    (folder,) = (user_files / "captures").iterdir()
    assert len(Reconstruction.load(folder).views) == 3
    tick_until(lambda: not any((user_files / "jobs").iterdir()))
    assert {name for name in FOREIGN if name in sys.modules} == known

    bpy.ops.ed.undo()
    assert _cameras() == []
    assert len(bpy.context.scene.vggt.photos) == 3
    bpy.ops.ed.redo()
    assert _cameras() == [path.name for path in listed]


def test_a_saved_scene_takes_its_capture_along_and_is_rebuilt_from_it(
    listed: list[Path], tmp_path: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    (tmp_path / "project").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "garden.blend"))
    (folder,) = (tmp_path / "project" / "garden.captures").iterdir()
    for old in (user_files / "captures").iterdir():
        old.rename(tmp_path / "gone")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "project" / "garden.blend"))
    assert len(_cameras()) == 3
    root = next(thing for thing in bpy.context.scene.objects if "capture_id" in thing)
    root["confidence_threshold"] = 0.7
    root.location.x += 5.0
    bpy.data.objects.remove(bpy.data.objects["photo 2.jpg"])
    assert bpy.ops.vggt.rebuild_capture() == {"FINISHED"}
    tick_until(lambda: not controller.busy())
    assert controller.session().message is None
    assert len(_cameras()) == 3
    root = next(thing for thing in bpy.context.scene.objects if "capture_id" in thing)
    assert root["confidence_threshold"] == pytest.approx(0.7)
    assert folder.is_dir()


def test_a_second_run_of_a_saved_scene_lies_beside_it(
    listed: list[Path], tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "garden.blend"))
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    assert [path.name for path in (tmp_path / "garden.captures").iterdir()] == ["yard"]


def test_a_cancelled_run_leaves_the_scene_as_it_was(
    listed: list[Path], user_files: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().fraction > 0.2)
    assert bpy.ops.vggt.cancel() == {"FINISHED"}
    tick_until(lambda: not controller.busy(), seconds=2.5)
    assert controller.session().message is None
    assert not bpy.context.scene.objects
    tick_until(lambda: not any((user_files / "jobs").iterdir()))


def test_cancelled_while_the_scene_is_built_the_result_is_kept(
    listed: list[Path], user_files: Path, tick_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "SLICE_SECONDS", 0.0)
    before = {
        kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "cameras", "collections", "materials")
    }
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().name == "Reliefs")
    assert bpy.ops.vggt.cancel() == {"FINISHED"}
    assert not controller.busy()
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before
    (folder,) = (user_files / "captures").iterdir()
    assert str(folder) in controller.session().message.sentence
    assert bpy.ops.vggt.open_capture(directory=str(folder)) == {"FINISHED"}
    tick_until(lambda: not controller.busy())
    assert len(_cameras()) == 3


def test_an_undo_while_the_scene_is_built_does_not_break_it(
    listed: list[Path], tick_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "SLICE_SECONDS", 0.0)
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().name == "Reliefs")
    bpy.context.scene.vggt.seed = 7
    bpy.ops.ed.undo_push(message="seed")
    bpy.ops.ed.undo()
    assert bpy.context.scene.vggt.seed == 0
    tick_until(lambda: not controller.busy())
    assert len(_cameras()) == 3
    marked = [thing.name for thing in bpy.data.objects if "vggt_addon_unfinished" in thing]
    assert marked == []


def test_another_file_stops_the_run(
    listed: list[Path], tmp_path: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().fraction > 0.2)
    bpy.ops.wm.read_homefile(use_empty=True)
    tick_until(lambda: not controller.busy(), seconds=2.5)
    assert "stopped the reconstruction" in controller.session().message.sentence
    assert not bpy.context.scene.objects
    assert not any((user_files / "jobs").iterdir())


def test_photos_that_show_nothing_in_common_end_in_a_sentence(
    listed: list[Path], tick_until: Callable[..., None]
) -> None:
    properties = bpy.context.scene.vggt
    properties.photos[1].use = properties.photos[2].use = False
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    message = controller.session().message
    assert message.kind == "ERROR"
    assert len(message.sentence) > 20
    assert not bpy.context.scene.objects
    assert bpy.ops.vggt.copy_report() == {"FINISHED"}
    assert bpy.ops.vggt.dismiss_message() == {"FINISHED"}
    assert controller.session().message is None


def test_a_python_that_is_none_fails_the_run_and_nothing_else(
    small_photos: list[Path], tmp_path: Path, tick_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vggt_addon.ui import places

    monkeypatch.setenv(places.PYTHON_VARIABLE, str(tmp_path / "no python"))
    bpy.ops.vggt.drop_photos(directory=f"{small_photos[0].parent}/", files=[{"name": small_photos[0].name}])
    tick_until(lambda: controller.session().message)
    assert controller.session().message.kind == "ERROR"
    assert "no python" in controller.session().message.detail + controller.session().message.sentence


def test_the_scene_is_looked_through_shown_and_removed(listed: list[Path], tick_until: Callable[..., None]) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    camera = bpy.data.objects["photo 2.jpg"]
    bpy.context.view_layer.objects.active = camera
    assert bpy.ops.vggt.look_through() == {"FINISHED"}
    assert bpy.context.scene.camera == camera
    assert (bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y) == (400, 266)
    bpy.ops.vggt.show_part(part="points", show=False)
    assert all(thing.hide_render for thing in bpy.context.scene.objects if thing.name.endswith("points"))
    assert bpy.ops.vggt.remove_capture() == {"FINISHED"}
    assert not bpy.context.scene.objects
