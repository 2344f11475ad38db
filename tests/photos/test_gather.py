"""The photos of one run."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.errors import Cancelled, PhotoError
from vggt_addon.photos import gather as module
from vggt_addon.photos.files import find_photos
from vggt_addon.photos.gather import UnreadablePhoto, gather, probe_all
from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import probe


def _noise(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)).save(path)


def test_bad_and_repeated_photos_are_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    _noise(tmp_path / "1.png", 1)
    _noise(tmp_path / "2.png", 2)
    (tmp_path / "3.png").write_bytes((tmp_path / "1.png").read_bytes())
    (tmp_path / "4.png").write_bytes(b"nothing")
    told: list[float] = []
    photos = gather([tmp_path], lambda stage, fraction: told.append(fraction))
    assert [photo.name for photo in photos.photos] == ["1.png", "2.png"]
    assert [photo.name for photo in photos.left_out] == ["3.png", "4.png"]
    assert "same file as 1.png" in photos.left_out[0].reason
    assert told == sorted(told) and told[-1] == 1.0


def test_names_are_unique(tmp_path: Path) -> None:
    for number, folder in enumerate(("a", "b", "c")):
        _noise(tmp_path / folder / "photo.png", number)
    _noise(tmp_path / "c" / "PHOTO.PNG", 9)
    names = [photo.name for photo in gather([tmp_path / "a", tmp_path / "b", tmp_path / "c"]).photos]
    assert len({name.casefold() for name in names}) == 4
    assert names[:2] == ["photo.png", "b_photo.png"]


def test_no_usable_photo_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"nothing")
    with pytest.raises(PhotoError, match=r"^1\.png is not a JPEG"):
        gather([tmp_path])

    (tmp_path / "2.png").write_bytes(b"nothing")
    with pytest.raises(PhotoError, match=r"None of the 3 files can be used\. .*3\.png does not exist.*1\.png"):
        gather([tmp_path, tmp_path / "3.png"])
    with pytest.raises(PhotoError, match="There are no photos"):
        gather([])


def test_a_photo_that_has_gone_keeps_none_of_the_others_from_the_run(tmp_path: Path) -> None:
    _noise(tmp_path / "1.png", 1)
    (tmp_path / "sub").mkdir()
    photos = gather([tmp_path / "2.png", tmp_path / "1.png", tmp_path / "sub"])
    assert [photo.name for photo in photos.photos] == ["1.png"]
    assert [photo.name for photo in photos.left_out] == ["2.png", "sub"]
    assert "2.png does not exist" in photos.left_out[0].reason
    assert "No photos were found in" in photos.left_out[1].reason


def test_as_many_threads_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        _noise(tmp_path / f"{number}.png", number)
    names: set[str] = set()

    def watched(path: Path) -> Photo:
        names.add(threading.current_thread().name)
        return probe(path)

    monkeypatch.setattr(module, "probe", watched)
    gather([tmp_path], at_once=1)
    assert len(names) == 1


def test_cancel(tmp_path: Path) -> None:
    _noise(tmp_path / "1.png", 1)
    with pytest.raises(Cancelled):
        gather([tmp_path], cancel=lambda: True)


# --- one by one


def test_each_is_told_as_it_is_known_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        _noise(tmp_path / f"{number}.png", number)
    (tmp_path / "3.png").write_bytes(b"nothing")
    (tmp_path / "4.png").write_bytes((tmp_path / "2.png").read_bytes())
    told = list(probe_all(find_photos([tmp_path])))
    assert [one.path.name for one in told] == ["1.png", "2.png", "3.png", "4.png", "10.png"]
    assert [isinstance(one, Photo) for one in told] == [True, True, False, False, True]
    sentences = [one.sentence for one in told if isinstance(one, UnreadablePhoto)]
    assert "3.png is not a JPEG" in sentences[0]
    assert sentences[1] == "It is the same file as 2.png."
    usable = tuple(one for one in told if isinstance(one, Photo))
    assert usable == gather([tmp_path]).photos


def test_the_list_fills_while_later_photos_are_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        _noise(tmp_path / f"{number}.png", number)
    held = threading.Event()

    def slow(path: Path) -> Photo:
        if path.name != "0.png":
            assert held.wait(30)
        return probe(path)

    monkeypatch.setattr(module, "probe", slow)
    told = probe_all(find_photos([tmp_path]), at_once=2)
    first = next(told)
    assert isinstance(first, Photo) and first.name == "0.png" and not held.is_set()
    held.set()
    assert len(list(told)) == 3


def test_who_stops_listening_waits_for_no_photo_that_has_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        _noise(tmp_path / f"{number}.png", number)
    begun: list[str] = []

    def counted(path: Path) -> Photo:
        begun.append(path.name)
        time.sleep(0.02)
        return probe(path)

    monkeypatch.setattr(module, "probe", counted)
    told = probe_all(find_photos([tmp_path]), at_once=1)
    next(told)
    told.close()  # type: ignore[attr-defined]
    assert len(begun) < 10
    stops = iter([False, True])
    with pytest.raises(Cancelled):
        list(probe_all(find_photos([tmp_path]), cancel=lambda: next(stops), at_once=1))
    assert len(begun) < 20


def test_a_copy_is_told_by_the_name_that_the_photo_has_in_the_run(tmp_path: Path) -> None:
    _noise(tmp_path / "a" / "photo.png", 1)
    _noise(tmp_path / "b" / "photo.png", 2)
    (tmp_path / "b" / "z.png").write_bytes((tmp_path / "b" / "photo.png").read_bytes())
    *_, copy = probe_all(find_photos([tmp_path / "a", tmp_path / "b"]))
    assert isinstance(copy, UnreadablePhoto) and copy.sentence == "It is the same file as b_photo.png."
