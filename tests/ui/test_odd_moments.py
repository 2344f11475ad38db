"""What an artist does at an odd moment: opens a file, renames, links, rebuilds while something else is under way."""

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from vggt_addon.ui import controller

pytestmark = pytest.mark.usefixtures("enabled")


@pytest.fixture
def listed(small_photos: list[Path]) -> list[Path]:
    """The three photos on the scene's list, with settings for a quick run."""
    bpy.ops.vggt.drop_photos(
        directory=f"{small_photos[0].parent}/", files=[{"name": path.name} for path in small_photos]
    )
    properties = bpy.context.scene.vggt
    properties.engine, properties.depth_size, properties.point_budget = "sfm", 128, 5000
    bpy.ops.ed.undo_push(message="photos")
    return small_photos


@pytest.mark.parametrize("stage", ["Reading the result", "Reliefs"])
def test_another_file_opened_while_the_scene_is_built_gets_nothing_of_it(
    listed: list[Path],
    stage: str,
    user_files: Path,
    tick_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(controller, "SLICE_SECONDS", 0.0)
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
