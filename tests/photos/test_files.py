"""Finding photos."""

import os
from pathlib import Path

import pytest

from vggt_addon.errors import PhotoError
from vggt_addon.photo_names import natural_key
from vggt_addon.photos.files import find_photos


def test_natural_order() -> None:
    names = ["IMG_10.jpg", "img_9.jpg", "IMG_1.jpg", "a2b10.png", "a2b9.png", "a10b1.png"]
    ordered = [path.name for path in sorted(map(Path, names), key=natural_key)]
    assert ordered == ["a2b9.png", "a2b10.png", "a10b1.png", "IMG_1.jpg", "img_9.jpg", "IMG_10.jpg"]


def test_unusual_digits_do_not_break_the_order() -> None:
    assert [path.name for path in sorted(map(Path, ["a²", "a1", "a"]), key=natural_key)] == ["a", "a1", "a²"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b 10.JPG", "b 9.jpg", "c.webp", "notes.txt", ".hidden.jpg", "d.tiff"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "e.jpg").write_bytes(b"x")
    return tmp_path


def test_folder_takes_photos_directly_in_it(folder: Path) -> None:
    assert [path.name for path in find_photos([folder])] == ["b 9.jpg", "b 10.JPG", "c.webp", "d.tiff"]


def test_patterns_files_and_repeats(folder: Path) -> None:
    found = find_photos([folder / "b*", folder / "b 9.jpg", folder / "notes.txt", folder / "**" / "e.jpg"])
    assert [path.name for path in found] == ["b 9.jpg", "b 10.JPG", "e.jpg", "notes.txt"]
    assert all(path.is_absolute() for path in found)


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].jpg").write_bytes(b"x")
    assert [path.name for path in find_photos([tmp_path / "a[1].jpg"])] == ["a[1].jpg"]


def test_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="No photos were found"):
        find_photos([tmp_path])
    with pytest.raises(PhotoError, match="does not exist"):
        find_photos([tmp_path / "missing.jpg"])
    with pytest.raises(PhotoError, match="No photos were found"):
        find_photos([str(tmp_path / "*.jpg")])
    with pytest.raises(PhotoError, match="an empty list"):
        find_photos([])


def test_odd_names_are_names_or_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = ["~nobody.jpg", "-a.jpg", "100% {a} 'b' \"c\".jpg", "a\nb.jpg", "\u00fcml\u00e4ut \U0001f600.jpg"]
    for name in odd:
        Path(name).write_bytes(b"")
    assert {path.name for path in find_photos(odd)} == set(odd)
    for name in ("~nobody/a.jpg", "x" * 3000, "x" * 3000 + "*", ""):
        with pytest.raises(PhotoError):
            find_photos([name])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(PhotoError, match="neither a file nor a folder"):
        find_photos([tmp_path / "a.jpg"])
    with pytest.raises(PhotoError, match="No photos were found"):
        find_photos([tmp_path])


def test_folders_called_like_photos_are_passed_over_but_links_to_nowhere_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").mkdir()
    (tmp_path / "d.jpg").write_bytes(b"")
    expected = [tmp_path / name for name in ("a.jpg", "b.jpg", "d.jpg")]
    assert find_photos([tmp_path]) == find_photos([tmp_path / "*.jpg"]) == expected


def test_a_pattern_does_not_reach_into_captures(tmp_path: Path) -> None:
    for name in ("photos/a.jpg", "scene.capture/photos/a.jpg", "scene.capture/reconstruction.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert find_photos([f"{tmp_path}/**/*.jpg"]) == [tmp_path / "photos" / "a.jpg"]
    assert find_photos([tmp_path / "scene.capture" / "photos"]) == [tmp_path / "scene.capture" / "photos" / "a.jpg"]


def test_photos_one_folder_deeper_are_pointed_to(folder: Path) -> None:
    (folder / "outer" / "empty").mkdir(parents=True)
    (folder / "inner").rename(folder / "outer" / "images")
    with pytest.raises(PhotoError, match=r"No photos were found in .*outer: give .*images, which has some"):
        find_photos([folder / "outer"])


def test_clips_are_found_beside_photos(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.jpg", "c.MOV", "d.webm", ".hidden.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_photos([tmp_path])] == ["a.jpg", "b.mp4", "c.MOV", "d.webm"]
    assert [path.name for path in find_photos([tmp_path / "*.mp4"])] == ["b.mp4"]


def test_the_moment_in_motion_of_a_live_photo_is_no_clip_unless_it_is_named(tmp_path: Path) -> None:
    for name in ("IMG_1.JPG", "IMG_1.mov", "img_2.HEIC", "IMG_2.MOV", "IMG_3.MOV"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_photos([tmp_path])] == ["IMG_1.JPG", "img_2.HEIC", "IMG_3.MOV"]
    assert [path.name for path in find_photos([tmp_path / "IMG_1.mov"])] == ["IMG_1.mov"]
