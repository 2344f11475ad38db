"""The list of photos, through the operators that the panel's buttons call."""

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest
from PIL import Image

from vggt_addon.ui import asking, controller

pytestmark = pytest.mark.usefixtures("enabled")


def _drop(photos: list[Path]) -> set[str]:
    files = [{"name": photo.name} for photo in photos]
    return bpy.ops.vggt.drop_photos(directory=f"{photos[0].parent}/", files=files)


def test_dropped_photos_are_listed_in_natural_order_and_looked_at(
    small_photos: list[Path], tick_until: Callable[..., None]
) -> None:
    assert _drop(list(reversed(small_photos))) == {"FINISHED"}
    photos = bpy.context.scene.vggt.photos
    assert [photo.path for photo in photos] == [str(path) for path in small_photos]
    tick_until(lambda: all(photo.width for photo in photos))
    assert {(photo.width, photo.height) for photo in photos} == {(400, 266)}
    assert all(photo.focal > 100 for photo in photos)
    tick_until(lambda: controller.session().planned)
    assert controller.session().planned.engine == "sfm"
    assert [engine.ready for engine in controller.session().engines if engine.name == "sfm"] == [True]
    assert all(controller.session().thumbnails[str(path)].is_file() for path in small_photos)


def test_a_folder_is_added_once(small_photos: list[Path]) -> None:
    folder = f"{small_photos[0].parent}/"
    assert bpy.ops.vggt.add_folder(directory=folder) == {"FINISHED"}
    assert bpy.ops.vggt.add_folder(directory=folder) == {"CANCELLED"}
    assert len(bpy.context.scene.vggt.photos) == 3


def test_what_is_no_photo_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    assert bpy.ops.vggt.add_folder(directory=f"{tmp_path}/") == {"CANCELLED"}
    assert bpy.ops.vggt.add_photos(directory=f"{tmp_path}/", files=[{"name": "notes.txt"}]) == {"CANCELLED"}
    assert not bpy.context.scene.vggt.photos


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.vggt.add_folder(directory=f"{tmp_path / 'gone'}/")


def test_a_damaged_photo_is_marked_with_its_reason_and_left_out(
    small_photos: list[Path], tmp_path: Path, tick_until: Callable[..., None]
) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    _drop(small_photos)
    _drop([damaged])
    photos = bpy.context.scene.vggt.photos
    tick_until(lambda: photos[-1].problem)
    assert "damaged.jpg" in photos[-1].problem
    assert asking.chosen_photos(bpy.context.scene.vggt) == [str(path) for path in small_photos]
    damaged.write_bytes(small_photos[0].read_bytes() + b"\0")  # mended, and added again
    bpy.context.scene.vggt.active_photo = 3
    bpy.ops.vggt.remove_photo()
    _drop([damaged])
    tick_until(lambda: photos[-1].width)
    assert not photos[-1].problem


def test_masks_are_shown_with_their_photos_and_not_listed(
    small_photos: list[Path], tick_until: Callable[..., None]
) -> None:
    masks = [small_photos[0].with_suffix(".mask.png"), small_photos[1].with_suffix(".mask.png")]
    for mask, size in zip(masks, [(400, 266), (50, 50)], strict=True):
        Image.new("L", size, 255).save(mask)
    assert _drop([*small_photos, *masks]) == {"FINISHED"}
    photos = bpy.context.scene.vggt.photos
    assert [photo.path for photo in photos] == [str(path) for path in small_photos]
    tick_until(lambda: all(photo.width for photo in photos))
    assert [photo.mask for photo in photos] == [masks[0].name, "", ""]
    assert [bool(photo.remark) for photo in photos] == [False, True, False]
    assert "used without its mask" in photos[1].remark and not photos[1].problem


def test_removing_moving_and_choosing(small_photos: list[Path]) -> None:
    _drop(small_photos)
    properties = bpy.context.scene.vggt
    properties.active_photo = 2
    assert bpy.ops.vggt.set_reference() == {"FINISHED"}
    assert asking.run_settings(properties).engine_settings.reference == str(small_photos[2])
    assert bpy.ops.vggt.move_photo(direction="UP") == {"FINISHED"}
    assert [photo.name for photo in properties.photos] == ["photo 1.jpg", "photo 3.jpg", "photo 2.jpg"]
    assert properties.active_photo == 1
    properties.photos[0].use = False
    assert asking.chosen_photos(properties) == [str(small_photos[2]), str(small_photos[1])]
    assert bpy.ops.vggt.remove_photo() == {"FINISHED"}
    assert properties.reference == ""
    assert bpy.ops.vggt.use_photos(use=False) == {"FINISHED"}
    assert asking.chosen_photos(properties) == []
    assert not bpy.ops.vggt.reconstruct.poll()
    assert bpy.ops.vggt.clear_photos() == {"FINISHED"}
    assert not bpy.ops.vggt.clear_photos.poll()


def test_the_list_survives_saving_and_loading(small_photos: list[Path], tmp_path: Path) -> None:
    _drop(small_photos)
    bpy.context.scene.vggt.point_budget = 5000
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not bpy.context.scene.vggt.photos
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert [photo.path for photo in bpy.context.scene.vggt.photos] == [str(path) for path in small_photos]
    assert asking.run_settings(bpy.context.scene.vggt).point_budget == 5000
