"""Finding photos."""

from pathlib import Path

import pytest

from vggt_addon.errors import PhotoError
from vggt_addon.photos.files import find_photos, natural_key


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
