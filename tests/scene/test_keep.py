"""The folder of a capture follows the .blend, and one .blend never depends on another's."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.scene.build import build
from vggt_addon.scene.captures import captures
from vggt_addon.scene.keep import adopt, after_save, before_save, capture_folder, folder_beside, used_folders
from vggt_addon.scene.summary import read_summary

WARNINGS: list[str] = []


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As the extension installs them: a save calls us."""

    def saving(path: str, *_: Any) -> None:
        WARNINGS.extend(before_save(path))

    def saved(path: str, *_: Any) -> None:
        after_save(path)

    for handler in (saving, saved):
        handler._bpy_persistent = None  # what bpy.app.handlers.persistent sets
    bpy.app.handlers.save_pre.append(saving)
    bpy.app.handlers.save_post.append(saved)
    WARNINGS.clear()
    yield
    bpy.app.handlers.save_pre.remove(saving)
    bpy.app.handlers.save_post.remove(saved)


@pytest.fixture
def home(capture: Any, tmp_path: Path) -> Path:
    """The user's folder with one capture, whose first picture lies in its own folder."""
    view = capture.views[0]
    picture = Path(shutil.copy(view.photo, tmp_path / "upright.png"))
    views = (dataclasses.replace(view, photo=picture), *capture.views[1:])
    return capture.replace(views=views).save(tmp_path / "user" / "photos-2026")  # type: ignore[no-any-return]


@pytest.fixture
def root(home: Path, scene: Any) -> Any:
    built = build(Reconstruction.load(home)).root
    adopt(home, built)
    return built


def save(path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **options)


def opened(path: Path) -> Any:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (root,) = captures(bpy.context.scene)
    return root


def own_picture() -> Path:
    """Where the picture that lies in the capture's folder is read from."""
    (image,) = [image for image in bpy.data.images if image.name == "upright.png"]
    return Path(bpy.path.abspath(image.filepath)).resolve()


def test_until_it_is_saved_it_lies_where_it_was_put(root: Any, home: Path) -> None:
    assert capture_folder(root) == home and used_folders() == {home}
    assert own_picture() == home / "photos" / "upright.png"


def test_it_comes_along_with_the_first_save(root: Any, home: Path, tmp_path: Path) -> None:
    blend = tmp_path / "work" / "scene.blend"
    save(blend)
    expected = tmp_path / "work" / "scene.captures" / "photos"
    assert WARNINGS == [] and home.is_dir()
    assert capture_folder(root) == expected
    again = opened(blend)
    assert capture_folder(again) == expected
    assert again["capture_folder"] == "//scene.captures/photos"
    assert own_picture() == expected / "photos" / "upright.png"
    (image,) = [image for image in bpy.data.images if image.name == "upright.png"]
    assert image.filepath.replace("\\", "/") == "//scene.captures/photos/photos/upright.png"
    assert read_summary(again) is not None
    assert len(Reconstruction.load(expected).views) == 4


def test_saved_again_it_is_not_copied_again(root: Any, tmp_path: Path) -> None:
    blend = tmp_path / "work" / "scene.blend"
    for _ in range(3):
        save(blend)
    assert [path.name for path in (tmp_path / "work" / "scene.captures").iterdir()] == ["photos"]


def test_the_whole_folder_can_be_moved_away(root: Any, home: Path, tmp_path: Path) -> None:
    save(tmp_path / "work" / "scene.blend")
    shutil.rmtree(home.parent)
    (tmp_path / "work").rename(tmp_path / "moved")
    moved = opened(tmp_path / "moved" / "scene.blend")
    assert capture_folder(moved) == tmp_path / "moved" / "scene.captures" / "photos"
    assert own_picture().is_file()


@pytest.mark.parametrize("other", ["work/second.blend", "elsewhere/deep/second.blend"])
def test_saved_as_another_file_each_has_its_own(root: Any, home: Path, tmp_path: Path, other: str) -> None:
    first, second = tmp_path / "work" / "first.blend", tmp_path / other
    save(first)
    save(second)
    assert capture_folder(root) == second.parent / "second.captures" / "photos"
    assert own_picture() == capture_folder(root) / "photos" / "upright.png"
    shutil.rmtree(home.parent)
    shutil.rmtree(first.parent / "first.captures")
    assert capture_folder(opened(second)) == second.parent / "second.captures" / "photos"
    assert own_picture().is_file()
    assert len(Reconstruction.load(capture_folder(captures(bpy.context.scene)[0])).views) == 4


def test_a_picture_painted_in_one_is_not_painted_in_the_other(root: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first.blend", tmp_path / "second.blend"
    save(first)
    save(second)
    (tmp_path / "second.captures" / "photos" / "photos" / "upright.png").write_bytes(b"painted")
    assert (tmp_path / "first.captures" / "photos" / "photos" / "upright.png").read_bytes() != b"painted"


@pytest.mark.parametrize("other", ["work/copy.blend", "elsewhere/copy.blend"])
def test_saving_a_copy_leaves_the_session_with_its_own(root: Any, tmp_path: Path, other: str) -> None:
    first, copy = tmp_path / "work" / "first.blend", tmp_path / other
    save(first)
    before = capture_folder(root), own_picture(), root["capture_folder"]
    save(copy, copy=True)
    assert (capture_folder(root), own_picture(), root["capture_folder"]) == before
    assert capture_folder(opened(copy)) == copy.parent / "copy.captures" / "photos"
    assert own_picture() == copy.parent / "copy.captures" / "photos" / "photos" / "upright.png"


def test_a_file_copied_by_hand_gets_its_own_when_it_is_saved(root: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first.blend", tmp_path / "second.blend"
    save(first)
    shutil.copy(first, second)
    by_hand = opened(second)
    assert capture_folder(by_hand) == tmp_path / "first.captures" / "photos"
    save(second)
    assert capture_folder(by_hand) == tmp_path / "second.captures" / "photos"
    assert capture_folder(opened(first)) == tmp_path / "first.captures" / "photos"


def test_two_roots_of_one_capture_share_its_folder_within_a_file(root: Any, home: Path, tmp_path: Path) -> None:
    other = build(Reconstruction.load(home)).root
    adopt(home, other)
    save(tmp_path / "scene.blend")
    assert capture_folder(root) == capture_folder(other)
    assert len(list((tmp_path / "scene.captures").iterdir())) == 1


def test_two_captures_of_one_name_do_not_meet(root: Any, capture: Any, tmp_path: Path) -> None:
    changed = capture.replace(report={"other": 1}, capture_id="other").save(tmp_path / "user" / "second")
    other = build(Reconstruction.load(changed)).root
    adopt(changed, other)
    other.name = "photos"
    root.name = "photos"
    save(tmp_path / "scene.blend")
    assert capture_folder(root) != capture_folder(other)
    assert {one.parent for one in used_folders()} == {tmp_path / "scene.captures"}


def test_the_artists_own_folder_is_only_referred_to(root: Any, home: Path, tmp_path: Path) -> None:
    adopt(home, root, ours=False)
    save(tmp_path / "deep" / "er" / "scene.blend")
    assert capture_folder(root) == home and not (tmp_path / "deep" / "er" / "scene.captures").exists()
    assert capture_folder(opened(tmp_path / "deep" / "er" / "scene.blend")) == home


def test_a_disk_that_refuses_never_stops_the_save(root: Any, home: Path, tmp_path: Path) -> None:
    blend = tmp_path / "work" / "scene.blend"
    blend.parent.mkdir()
    (tmp_path / "work" / "scene.captures").write_text("a file stands in the way")
    save(blend)
    (warning,) = WARNINGS
    assert "photos could not be copied beside scene.blend" in warning and str(home) in warning
    assert capture_folder(root) == home
    assert capture_folder(opened(blend)) == home and own_picture() == home / "photos" / "upright.png"


def test_appended_to_another_file_it_is_still_found(root: Any, tmp_path: Path) -> None:
    save(tmp_path / "a" / "scene.blend")
    name = root.name
    bpy.ops.wm.read_factory_settings(use_empty=True)
    save(tmp_path / "b" / "other.blend")
    with bpy.data.libraries.load(str(tmp_path / "a" / "scene.blend")) as (_, appended):
        appended.collections = [name]
    bpy.context.scene.collection.children.link(appended.collections[0])
    (there,) = captures(bpy.context.scene)
    assert capture_folder(there) == tmp_path / "a" / "scene.captures" / "photos"
    save(tmp_path / "b" / "other.blend")
    assert capture_folder(there) == tmp_path / "b" / "other.captures" / "photos"


def test_undo_after_a_save_still_finds_a_folder(root: Any, home: Path, tmp_path: Path) -> None:
    bpy.ops.ed.undo_push(message="Build")
    save(tmp_path / "scene.blend")
    bpy.ops.ed.undo_push(message="Something")
    bpy.ops.ed.undo()
    (again,) = captures(bpy.context.scene)
    folder = capture_folder(again)
    assert folder is not None and len(Reconstruction.load(folder).views) == 4


@pytest.mark.parametrize("damaged", [7, "", "a\0b", [1.0], "relative/path", None])
def test_a_damaged_property_is_no_folder(root: Any, tmp_path: Path, damaged: Any) -> None:
    for key in ("capture_folder", "capture_folder_absolute"):
        if damaged is None:
            del root[key]
        elif isinstance(damaged, str) and "\0" in damaged:
            root[key] = damaged.encode()
        else:
            root[key] = damaged
    assert capture_folder(root) is None
    save(tmp_path / "scene.blend")
    assert WARNINGS == []


def test_a_folder_that_is_gone_is_named(root: Any, home: Path, tmp_path: Path) -> None:
    shutil.rmtree(home)
    assert capture_folder(root) == home
    save(tmp_path / "scene.blend")
    assert capture_folder(root) == home and WARNINGS == []


def test_the_name_that_the_panel_asks_for(tmp_path: Path) -> None:
    assert folder_beside(tmp_path / "s.blend", "one") == tmp_path / "s.captures" / "one"
