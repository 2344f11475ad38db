"""Folders of captures: free names, whole copies, sameness, age."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vggt_addon.reconstruction import Reconstruction
from vggt_addon.reconstruction_files import FILE_NAME
from vggt_addon.scene.folders import (
    abandoned,
    beside,
    capture_id,
    copy_capture,
    folder_beside,
    is_capture,
    same_capture,
)


@pytest.fixture
def made(capture: Any, tmp_path: Path) -> Path:
    """A capture on disk, one of whose pictures is its own."""
    import dataclasses
    import shutil

    view = capture.views[0]
    picture = Path(shutil.copy(view.photo, tmp_path / "upright.png"))
    views = (dataclasses.replace(view, photo=picture), *capture.views[1:])
    return capture.replace(views=views).save(tmp_path / "user" / "one")  # type: ignore[no-any-return]


def equal(one: Reconstruction, other: Reconstruction) -> bool:
    return (
        one.capture_id == other.capture_id
        and [view.original for view in one.views] == [view.original for view in other.views]
        and all(np.array_equal(a.depth, b.depth) for a, b in zip(one.views, other.views, strict=True))
        and np.array_equal(one.points.position, other.points.position)
    )


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Banana", "Banana"),
        ("a/b\\c:d*?", "a_b_c_d__"),
        ("..", "capture"),
        ("", "capture"),
        (" end. ", "end"),
        ("con", "_con"),
        ("COM1.x", "_COM1.x"),
        ("caf\udce9", "caf_"),
        ("x" * 300, "x" * 80),
        ("\U0001f34c" * 63, "\U0001f34c" * 30),
    ],
)
def test_a_name_that_every_disk_takes(tmp_path: Path, name: str, folder: str) -> None:
    assert folder_beside(tmp_path / "my scene.blend", name) == tmp_path / "my scene.captures" / folder


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    blend = tmp_path / "s.blend"
    for expected in ("one", "one 2", "one 3"):
        folder = folder_beside(blend, "one")
        assert folder.name == expected
        folder.mkdir(parents=True)


def test_what_is_a_capture(made: Path, capture: Any, tmp_path: Path) -> None:
    assert is_capture(made) and capture_id(made) == capture.capture_id
    assert not is_capture(tmp_path) and capture_id(tmp_path) is None
    assert not is_capture(Path("a\0b")) and capture_id(Path("a\0b")) is None


@pytest.mark.parametrize("link_pictures", [True, False])
def test_a_copy_is_whole_and_stands_alone(made: Path, tmp_path: Path, link_pictures: bool) -> None:
    target = copy_capture(made, tmp_path / "elsewhere" / "deep" / "copy", link_pictures=link_pictures)
    before = Reconstruction.load(made)
    assert equal(Reconstruction.load(target), before)
    (picture,) = (target / "photos").iterdir()
    assert picture.samefile(made / "photos" / picture.name) is link_pictures
    assert same_capture(made, target) and same_capture(target, made)
    assert [path.name for path in target.parent.iterdir()] == ["copy"]
    for file in sorted(made.rglob("*"), reverse=True):  # the first one goes, as a whole
        file.rmdir() if file.is_dir() else file.unlink()
    assert equal(Reconstruction.load(target), before)


def test_references_to_photos_hold_from_the_new_place(made: Path, tmp_path: Path) -> None:
    target = copy_capture(made, tmp_path / "a" / "b" / "c" / "copy", link_pictures=True)
    for view in json.loads((target / FILE_NAME).read_text())["views"]:
        assert (target / view["original"]["relative"]).resolve().is_file()
        assert Path(view["original"]["absolute"]).is_file()


def test_without_hard_links_it_is_a_plain_copy(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    target = copy_capture(made, tmp_path / "copy", link_pictures=True)
    assert same_capture(made, target)
    array = next((target / "arrays").iterdir())
    assert not array.samefile(made / "arrays" / array.name)


def test_only_a_captures_own_files_are_copied(made: Path, tmp_path: Path) -> None:
    (made / "notes.txt").write_text("the artist's")
    secret = tmp_path / "secret"
    secret.write_text("private")
    (made / "arrays" / "link.npy").symlink_to(secret)
    (made / "photos" / "folder").mkdir()
    target = copy_capture(made, tmp_path / "copy", link_pictures=True)
    assert sorted(path.name for path in target.iterdir()) == sorted([FILE_NAME, "arrays", "photos"])
    assert not (target / "arrays" / "link.npy").exists() and not (target / "photos" / "folder").exists()


def test_a_full_disk_leaves_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        copy_capture(made, tmp_path / "new" / "copy", link_pictures=True)
    assert not (tmp_path / "new").exists()


def test_a_damaged_description_is_copied_as_it_is(made: Path, tmp_path: Path) -> None:
    (made / FILE_NAME).write_bytes(b'{"views": [7]}')
    target = copy_capture(made, tmp_path / "copy", link_pictures=True)
    assert (target / FILE_NAME).read_bytes() == b'{"views": [7]}'
    (made / FILE_NAME).write_bytes(b"\xff nonsense")
    assert not same_capture(made, target)


def test_another_result_of_the_same_capture_is_not_the_same(made: Path, tmp_path: Path) -> None:
    target = copy_capture(made, tmp_path / "copy", link_pictures=True)
    loaded = Reconstruction.load(made)
    again = loaded.replace(report={"pass": 2}).save(tmp_path / "again")
    assert not same_capture(target, again)
    file = target / "arrays" / "points_position.npy"
    os.utime(file, (1, 1))
    assert same_capture(target, made)  # a hard link: its twin is as old
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    assert not same_capture(target, made)


def test_what_could_be_cleaned_up_is_listed_and_stays(made: Path, tmp_path: Path) -> None:
    user = made.parent
    old, used, half, fresh = (user / name for name in ("old", "used", ".half-x", ".fresh-x"))
    for folder in (old, used):
        copy_capture(made, folder, link_pictures=True)
    for folder in (half, fresh, user / "something else"):
        folder.mkdir()
    week = time.time() - 7 * 86_400
    for path in (old / FILE_NAME, old, half):
        os.utime(path, (week, week))
    found = abandoned(user, [used])
    assert {one.folder.name for one in found} == {"old", ".half-x", "one"}
    assert [round(one.days) for one in found] == [7, 7, 0]
    assert all(folder.is_dir() for folder in (old, used, half, fresh, made))
    assert abandoned(tmp_path / "nowhere", []) == []


def test_captures_of_a_blend_lie_beside_it(tmp_path: Path) -> None:
    assert beside(tmp_path / "two.dots.blend") == tmp_path / "two.dots.captures"
