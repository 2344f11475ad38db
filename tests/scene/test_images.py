import dataclasses
from pathlib import Path
from typing import Any

import bpy
import pytest

from vggt_addon.scene.images import blend_path, load_photo, pack


@pytest.fixture
def view(capture: Any, photo: Path) -> Any:
    return dataclasses.replace(capture.views[0], photo=photo)


def test_a_photo_is_loaded_once(view: Any) -> None:
    image, warning = load_photo(view)
    assert warning is None
    assert tuple(image.size) == (12, 8)
    assert image.colorspace_settings.name == "sRGB"
    assert load_photo(view) == (image, None)


def test_the_artists_own_reading_of_the_file_is_left_alone(view: Any) -> None:
    theirs = bpy.data.images.load(str(view.photo))
    theirs.colorspace_settings.name = "Non-Color"
    image, _ = load_photo(view)
    assert image != theirs
    assert theirs.colorspace_settings.name == "Non-Color"


def test_a_missing_photo_is_one_sentence_and_an_image_that_can_be_found_again(view: Any, tmp_path: Path) -> None:
    path = view.photo
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    image, warning = load_photo(view)
    assert warning is not None and "leaf.png is missing" in warning and str(path) in warning
    assert Path(bpy.path.abspath(image.filepath)) == path
    elsewhere.rename(path)
    image.reload()
    assert tuple(image.size) == (12, 8)


def test_paths_are_absolute_before_the_file_has_a_place_and_relative_after(view: Any, tmp_path: Path) -> None:
    assert blend_path(view.photo) == str(view.photo)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    image, _ = load_photo(view)
    assert image.filepath.startswith("//")
    assert Path(bpy.path.abspath(image.filepath)).samefile(view.photo)


def test_packing_skips_what_is_missing(view: Any, tmp_path: Path) -> None:
    here, _ = load_photo(view)
    gone, _ = load_photo(dataclasses.replace(view, photo=tmp_path / "gone.png"))
    pack([here, gone, here])
    assert here.packed_file is not None
    assert gone.packed_file is None


def test_a_file_that_is_no_picture_is_named_and_never_packed(view: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_text("private")
    image, warning = load_photo(dataclasses.replace(view, photo=secret))
    assert warning is not None and f"{secret} is not a" in warning
    pack([image])
    assert image.packed_file is None
