"""What may be written is known before any work."""

import os
from pathlib import Path

import pytest

from vggt_addon.errors import OutputExistsError, UserError
from vggt_addon.outputs import check_outputs


def capture(folder: Path) -> Path:
    folder.mkdir()
    (folder / "reconstruction.json").write_text("{}")
    return folder


def test_new_names_are_fine_in_folders_still_to_be_made(tmp_path: Path) -> None:
    check_outputs([tmp_path / "a" / "b" / "scene.blend", None], tmp_path / "a" / "scene.capture", force=False)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_needs_force(tmp_path: Path) -> None:
    (tmp_path / "scene.blend").write_bytes(b"")
    capture(tmp_path / "scene.capture")
    for files, folder in (([tmp_path / "scene.blend"], None), ([], tmp_path / "scene.capture")):
        with pytest.raises(OutputExistsError, match="--force"):
            check_outputs(files, folder, force=False)
        check_outputs(files, folder, force=True)


def test_force_does_not_make_a_folder_a_file_nor_delete_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="is a folder"):
        check_outputs([tmp_path / "mine"], force=True)
    for name in ("mine", "file"):
        with pytest.raises(OutputExistsError, match="something other than a capture"):
            check_outputs([], tmp_path / name, force=True)


@pytest.mark.parametrize("other", ["scene.blend", "./scene.blend", "link/scene.blend"])
def test_two_outputs_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UserError, match="two outputs"):
        check_outputs([tmp_path / "scene.blend", Path(other)], force=True)


def test_what_is_read_is_not_overwritten(tmp_path: Path) -> None:
    inside = capture(tmp_path / "scene.capture") / "photos"
    inside.mkdir()
    for name in ("1.jpg", "2.jpg"):
        (inside / name).write_bytes(b"")
    with pytest.raises(OutputExistsError, match=r"1\.jpg is read from there"):
        check_outputs([inside / "1.jpg"], force=True, inputs=inside.iterdir())
    with pytest.raises(OutputExistsError, match=r"is read from there and would be lost"):
        check_outputs([], tmp_path / "scene.capture", force=True, inputs=inside.iterdir())
    check_outputs([tmp_path / "scene.blend"], tmp_path / "scene", force=True, inputs=inside.iterdir())


def test_a_place_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"photo\.jpg is a file, not a folder"):
        check_outputs([tmp_path / "photo.jpg" / "new" / "scene.blend"], force=True)


def test_a_protected_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # the suite may run as root
    with pytest.raises(UserError, match="is protected"):
        check_outputs([tmp_path / "new" / "scene.blend"], force=True)


@pytest.mark.parametrize("name", ["/", "..", "x" * 300])
def test_names_that_no_file_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no name for an output|cannot be written"):
        check_outputs([Path(name)], force=True)
