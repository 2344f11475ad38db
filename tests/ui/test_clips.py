"""Clips on the list and in a run, through the panel's operators and the real worker."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import bpy
import pytest

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.ui import asking, controller
from vggt_addon.ui.operators.photos import VGGT_FH_photos
from vggt_addon.ui.panels.photos import _frames

pytestmark = pytest.mark.usefixtures("enabled")


@pytest.fixture(scope="session")
def clip(helper: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of the example as a clip, a third of a second each."""
    pytest.importorskip("av")  # what the test makes it with; the worker has its own
    clips = helper("photos/clips.py")
    pictures = [picture for picture in clips.courtyard(3) for _ in range(10)]
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "a wälk.mp4", pictures)


def _drop(paths: list[Path]) -> set[str]:
    return bpy.ops.vggt.drop_photos(directory=f"{paths[0].parent}/", files=[{"name": path.name} for path in paths])


def test_clips_can_be_dropped_and_chosen() -> None:
    dropped = VGGT_FH_photos.bl_file_extensions.split(";")
    assert {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".jpg"} <= set(dropped)
    chosen = bpy.ops.vggt.add_photos.get_rna_type().properties
    assert "*.mov" in chosen["filter_glob"].default and chosen["filter_movie"].default


def test_a_dropped_clip_is_listed_with_its_length_and_frames(
    clip: Path, small_photos: list[Path], tick_until: Callable[..., None]
) -> None:
    assert _drop(small_photos) == _drop([clip]) == {"FINISHED"}
    properties = bpy.context.scene.vggt
    row = properties.photos[3]
    tick_until(lambda: row.width)
    assert (row.name, row.width, row.height, row.frames, row.focal, row.problem) == (clip.name, 400, 266, 30, 0, "")
    assert row.seconds == pytest.approx(1.0, abs=0.01)
    assert _frames(row, properties) == "About 30 of 30 frames"
    assert all(not photo.frames and not photo.seconds for photo in list(properties.photos)[:3])
    assert controller.session().thumbnails[str(clip)].is_file()
    properties.engine = "sfm"
    properties.frames_per_clip = 12
    assert _frames(row, properties) == "About 12 of 30 frames"
    tick_until(lambda: controller.planned(bpy.context.scene))
    assert controller.planned(bpy.context.scene).sentence.startswith("15 photos:")
    properties.frames_per_clip = 7
    assert controller.planned(bpy.context.scene) is None, "another number is another plan"
    tick_until(lambda: controller.planned(bpy.context.scene))
    assert controller.planned(bpy.context.scene).sentence.startswith("10 photos:")


def test_a_clip_of_a_folder_is_added(clip: Path) -> None:
    assert bpy.ops.vggt.add_folder(directory=f"{clip.parent}/") == {"FINISHED"}
    assert [photo.path for photo in bpy.context.scene.vggt.photos] == [str(clip)]
    assert asking.capture_name(asking.chosen_photos(bpy.context.scene.vggt)) == "a wälk"


def test_a_clip_that_cannot_be_read_is_marked_with_its_reason(tmp_path: Path, tick_until: Callable[..., None]) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    _drop([tmp_path / "cut.mp4"])
    row = bpy.context.scene.vggt.photos[0]
    tick_until(lambda: row.problem)
    assert "cut.mp4 is not a clip that can be read" in row.problem and not row.frames


def test_a_run_builds_a_camera_for_each_frame_that_was_chosen(
    clip: Path, user_files: Path, tick_until: Callable[..., None]
) -> None:
    _drop([clip])
    properties = bpy.context.scene.vggt
    properties.engine, properties.depth_size, properties.point_budget = "sfm", 128, 5000
    assert bpy.ops.vggt.reconstruct() == {"FINISHED"}
    stages = set()

    def done() -> bool:
        stages.add(controller.stage().name)
        return not controller.busy()

    tick_until(done)
    assert controller.session().message is None
    cameras = sorted(thing.name for thing in bpy.context.scene.objects if thing.type == "CAMERA")
    assert len(cameras) == 3 and all(name.startswith("a wälk_00-00.") for name in cameras)
    (folder,) = (user_files / "captures").iterdir()
    assert folder.name.startswith("a wälk")
    capture = Reconstruction.load(folder)
    assert [view.name for view in capture.views] == cameras
    assert {view.original for view in capture.views} == {clip}
    shown = {Path(bpy.path.abspath(image.filepath)) for image in bpy.data.images if image.filepath}
    assert {view.photo for view in capture.views} <= shown and all(path.is_file() for path in shown)
