import shutil
from pathlib import Path
from typing import Any

import bpy
import pytest

from vggt_addon.errors import UserError
from vggt_addon.scene.build import build
from vggt_addon.scene.save import new_file, save_blend


def photos() -> list[Any]:
    return [image for image in bpy.data.images if image.source == "FILE"]


@pytest.fixture
def project(capture: Any, tmp_path: Path) -> Path:
    """A folder with a .blend and the photos that it shows."""
    from dataclasses import replace

    folder = tmp_path / "project"
    shutil.copytree(capture.views[0].photo.parent, folder / "photos")
    views = tuple(replace(view, photo=folder / "photos" / view.photo.name) for view in capture.views)
    build(capture.replace(views=views))
    return folder


def test_a_folder_moved_as_a_whole_misses_no_photo(project: Path) -> None:
    save_blend(project / "scene.blend")
    moved = project.rename(project.with_name("moved"))
    bpy.ops.wm.open_mainfile(filepath=str(moved / "scene.blend"))
    assert len(photos()) == 4
    for image in photos():
        assert image.filepath.startswith("//photos")
        assert Path(bpy.path.abspath(image.filepath)).is_file()
        assert image.size[0] > 0


def test_saved_again_elsewhere_the_paths_still_lead_to_the_photos(project: Path, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(save_blend(project / "scene.blend")))
    bpy.ops.wm.open_mainfile(filepath=str(save_blend(tmp_path / "other" / "deep" / "copy.blend")))
    for image in photos():
        assert image.filepath.startswith("//..")
        assert image.size[0] > 0


def test_packed_photos_need_no_folder(project: Path) -> None:
    save_blend(project / "scene.blend", pack=True)
    shutil.rmtree(project / "photos")
    bpy.ops.wm.open_mainfile(filepath=str(project / "scene.blend"))
    assert len(photos()) == 4
    for image in photos():
        assert image.packed_file is not None
        assert image.size[0] > 0


def test_the_opened_file_is_the_capture(project: Path, capture: Any) -> None:
    save_blend(project / "scene.blend")
    new_file()
    bpy.ops.wm.open_mainfile(filepath=str(project / "scene.blend"))
    scene = bpy.context.scene
    assert scene.camera["photo"] == capture.views[capture.reference].name
    assert scene.view_settings.view_transform == "Standard"
    (root,) = [item for item in scene.objects if "capture_id" in item]
    assert root["capture_id"] == capture.capture_id


def test_saving_replaces_in_one_step_and_leaves_only_the_file(project: Path) -> None:
    for _ in range(2):
        save_blend(project / "scene.blend")
    assert sorted(path.name for path in project.iterdir()) == ["photos", "scene.blend"]


def test_a_place_that_cannot_be_written_is_a_sentence(project: Path) -> None:
    (project / "file").write_text("in the way")
    with pytest.raises(UserError, match="could not be written"):
        save_blend(project / "file" / "scene.blend")
    (project / "scene.blend").mkdir()
    with pytest.raises(UserError, match="could not be written"):
        save_blend(project / "scene.blend")
    assert sorted(path.name for path in project.iterdir()) == ["file", "photos", "scene.blend"]


def test_a_new_file_is_empty_but_for_a_world() -> None:
    bpy.data.objects.new("left over", None)
    scene = new_file()
    assert len(bpy.data.objects) == 0
    assert scene.world is not None
