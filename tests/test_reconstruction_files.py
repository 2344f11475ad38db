"""A Reconstruction on disk: the same bits back, one step or nothing, and no trust in what is read.

Over 400 lines, since all of it needs the one record that has everything set.
"""

import dataclasses
import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vggt_addon.errors import FormatError, OutputExistsError, UserError
from vggt_addon.reconstruction import LeftOut, Lens, Matches, PointCloud, Reconstruction, SolveReport, View
from vggt_addon.reconstruction_files import SCHEMA

Document = dict[str, Any]


def full_view(name: str, picture: Path, rng: np.random.Generator) -> View:
    """A view with every optional field set, its picture made by us."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    camera_from_world[:3, 3] = rng.normal(size=3)
    depth = rng.uniform(1, 9, (5, 7)).astype(np.float32)
    return View(
        name=name,
        identity=rng.bytes(32).hex(),
        original=picture.with_name(f"original {name}"),
        photo=picture,
        width=700,
        height=500,
        intrinsics=np.array([[612.3, 0, 350.1], [0, 612.3, 249.7], [0, 0, 1]]),
        camera_from_world=camera_from_world,
        photo_from_grid=np.diag([100.0, 100, 1]),
        depth=np.where(depth > 5, depth, np.float32(0)),
        confidence=rng.uniform(0, 1, (5, 7)).astype(np.float32),
        color=rng.integers(0, 256, (5, 7, 3), np.uint8),
        relief_depth=depth,
        depth_edge=rng.uniform(size=(4, 6)) > 0.5,
        mask=rng.uniform(size=(5, 7)) > 0.5,
        lens=Lens("SIMPLE_RADIAL", (612.3, 350.1, 249.7, -0.0123456789), 3.25),
        report=SolveReport("solved", 600.5, True, 1.0001, 0.42, 1234),
    )


def full_reconstruction(folder: Path) -> Reconstruction:
    """Two views with every optional field set, points, and everything else that can be saved."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    names = ["Straße 写真.jpg", "b.jpg"]
    for name in names:
        (folder / name).write_bytes(rng.bytes(100))
        (folder / f"original {name}").write_bytes(b"original")
    return Reconstruction(
        views=tuple(full_view(name, folder / name, rng) for name in names),
        engine="sfm",
        weights={"name": "größe", "sha256": "00", "licence": "MIT"},
        settings={"engine": "auto", "size": 512, "nested": {"list": [1, 2.5, None, True]}},
        reference=1,
        left_out=(LeftOut("c.jpg", "It shares no view with the others."),),
        warnings=("Two photos only.",),
        report={"seconds": 12.125, "ladder": ["plain"]},
        points=PointCloud(
            position=rng.normal(size=(9, 3)) * 1e6,
            color=rng.integers(0, 256, (9, 3), np.uint8),
            confidence=rng.uniform(0, 1, 9).astype(np.float32),
            view=rng.integers(0, 2, 9).astype(np.int32),
            spacing=0.1 + 0.2,
        ),
        matches=Matches(
            view=np.array([[0, 1]] * 6, np.int32),
            pixel=rng.uniform(0, 500, (6, 2, 2)).astype(np.float32),
            confidence=rng.uniform(0, 1, 6).astype(np.float32),
        ),
        scene_from_world=np.array([[0.0, -2, 0, 1 / 3], [2, 0, 0, 7], [0, 0, 2, -1e6], [0, 0, 0, 1]]),
    )


def assert_same(first: object, second: object, skip: tuple[str, ...] = ()) -> None:
    """Equal field by field; arrays bit by bit, with the same dtype."""
    assert type(first) is type(second)
    if dataclasses.is_dataclass(first):
        for field in dataclasses.fields(first):
            if field.name not in skip:
                assert_same(getattr(first, field.name), getattr(second, field.name), skip)
    elif isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        assert (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())
    elif isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        for one, other in zip(first, second, strict=True):
            assert_same(one, other, skip)
    else:
        assert first == second


def debris(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.startswith(".")]


# Back as it was


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    loaded = Reconstruction.load(folder)
    assert_same(saved, loaded, skip=("photo",))
    for before, after in zip(saved.views, loaded.views, strict=True):
        assert after.photo.parent == folder / "photos" and after.photo.read_bytes() == before.photo.read_bytes()
    assert debris(tmp_path) == []


def test_a_capture_of_the_first_schema_is_read(tmp_path: Path) -> None:
    """It had neither masks nor matches; everything else means what it meant."""
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")

    def as_of_old(document: Document) -> None:
        document["schema"] = 1
        for file in document.pop("matches")["arrays"].values():
            (folder / file).unlink()
        for view in document["views"]:
            (folder / view["arrays"].pop("mask")).unlink()

    edit(folder, as_of_old)
    loaded = Reconstruction.load(folder)
    assert_same(saved, loaded, skip=("photo", "mask", "matches"))
    assert loaded.matches is None and all(view.mask is None for view in loaded.views)
    assert Reconstruction.load(loaded.save(tmp_path / "again")).capture_id == saved.capture_id
    assert json.loads((tmp_path / "again" / "reconstruction.json").read_text(encoding="utf-8"))["schema"] == SCHEMA


def test_the_least_that_can_be_saved_comes_back(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"photo")
    view = View("a.jpg", "0", photo, photo, 4, 3, np.diag([5.0, 5, 1]), np.eye(4))
    saved = Reconstruction((view,), "sfm")
    assert_same(saved, Reconstruction.load(saved.save(tmp_path / "capture")))
    assert not (tmp_path / "capture" / "photos").exists()  # the original is referenced, not copied


def test_no_views_and_no_points_come_back(tmp_path: Path) -> None:
    nothing = PointCloud(
        np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0, np.float32), np.zeros(0, np.int32), 0.0
    )
    saved = Reconstruction((), "sfm", points=nothing)
    assert_same(saved, Reconstruction.load(saved.save(tmp_path / "capture")))


def test_saving_what_was_loaded_over_itself_keeps_the_pictures(tmp_path: Path) -> None:
    folder = full_reconstruction(tmp_path / "photos").save(tmp_path / "capture")
    loaded = Reconstruction.load(folder)
    loaded.save(folder, overwrite=True)
    assert_same(loaded, Reconstruction.load(folder))


def test_a_capture_finds_its_photos_after_both_have_moved(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    photo = tmp_path / "before" / "a.jpg"
    photo.write_bytes(b"photo")
    view = View("a.jpg", "0", photo, photo, 4, 3, np.diag([5.0, 5, 1]), np.eye(4))
    Reconstruction((view,), "sfm").save(tmp_path / "before" / "capture")
    os.replace(tmp_path / "before", tmp_path / "after")
    assert Reconstruction.load(tmp_path / "after" / "capture").views[0].photo == tmp_path / "after" / "a.jpg"


@pytest.mark.parametrize(("first", "second"), [("IMG.jpg", "img.JPG"), ("caf\u00e9.jpg", "cafe\u0301.jpg")])
def test_pictures_that_some_disks_take_for_one_are_kept_apart(tmp_path: Path, first: str, second: str) -> None:
    rng = np.random.default_rng(0)
    views = []
    for number, name in enumerate((first, second)):
        picture = tmp_path / str(number) / name
        picture.parent.mkdir()
        picture.write_bytes(f"picture {number}".encode())
        views.append(full_view(name, picture, rng))
    loaded = Reconstruction.load(Reconstruction(tuple(views), "sfm").save(tmp_path / "capture"))
    assert [view.photo.read_bytes() for view in loaded.views] == [b"picture 0", b"picture 1"]
    assert len({view.photo.name.casefold() for view in loaded.views}) == 2
    assert [view.name for view in loaded.views] == [first, second]


@pytest.mark.skipif(os.name == "nt", reason="names that are no Unicode exist on Linux only")
def test_a_name_that_is_no_unicode_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"photo\xff.jpg")
    photo = tmp_path / name
    photo.write_bytes(b"photo")
    view = View(name, "0", photo, photo, 4, 3, np.diag([5.0, 5, 1]), np.eye(4))
    saved = Reconstruction((view,), "sfm")
    assert_same(saved, Reconstruction.load(saved.save(tmp_path / "capture")))


# One step or nothing


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    before = (folder / "reconstruction.json").read_bytes()
    with pytest.raises(OutputExistsError, match="already exists"):
        saved.replace(engine="other").save(folder)
    assert (folder / "reconstruction.json").read_bytes() == before


def test_overwriting_replaces_all_and_leaves_nothing_beside(tmp_path: Path) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    saved.replace(views=saved.views[:1], reference=0, points=None, matches=None).save(folder, overwrite=True)
    assert len(Reconstruction.load(folder).views) == 1
    assert not list(folder.glob("arrays/view_0001*")) and not list(folder.glob("arrays/points*"))
    assert not list(folder.glob("arrays/matches*"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["capture", "photos"]


@pytest.mark.parametrize("own_file", ["holiday.blend", "arrays.zip"])
def test_overwriting_never_deletes_what_is_not_ours(tmp_path: Path, own_file: str) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    (folder / own_file).write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match="something other"):
        saved.save(folder, overwrite=True)
    assert (folder / own_file).read_bytes() == b"mine"


def test_overwriting_refuses_a_folder_of_photos_and_a_file(tmp_path: Path) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    (tmp_path / "file").write_bytes(b"mine")
    for target in (tmp_path / "photos", tmp_path / "file"):
        with pytest.raises(OutputExistsError, match="something other"):
            saved.save(target, overwrite=True)
    assert (tmp_path / "file").read_bytes() == b"mine"


def failing(real: Callable[..., Any], after: int) -> Callable[..., Any]:
    """`real`, until the disk is full at call number `after`."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **named)

    return call


@pytest.mark.parametrize(
    ("function", "real", "after"),
    [
        ("numpy.save", np.save, 1),
        ("shutil.copyfile", shutil.copyfile, 1),
        ("pathlib.Path.write_bytes", Path.write_bytes, 0),
    ],
)
def test_a_full_disk_costs_a_sentence_and_leaves_the_old_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, real: Callable[..., Any], after: int
) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    with monkeypatch.context() as patch:
        patch.setattr(function, failing(real, after))
        for target in (folder, tmp_path / "other"):
            with pytest.raises(UserError, match="No space left"):
                saved.replace(engine="other").save(target, overwrite=True)
    assert Reconstruction.load(folder).engine == "sfm"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["capture", "photos"]


@pytest.mark.parametrize("failing_call", [1, 2])
def test_a_rename_that_fails_leaves_the_old_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_call: int
) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    real, calls = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_call:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", replace)
        with pytest.raises(UserError, match="Permission denied"):
            saved.replace(engine="other").save(folder, overwrite=True)
    assert Reconstruction.load(folder).engine == "sfm"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["capture", "photos"]


def test_what_cannot_be_put_back_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    folder = saved.save(tmp_path / "capture")
    monkeypatch.setattr("os.replace", failing(os.replace, 1))
    with pytest.raises(UserError, match="No space left"):
        saved.save(folder, overwrite=True)
    (aside,) = tmp_path.glob(".capture-old-*")
    assert Reconstruction.load(aside / "old").engine == "sfm"


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    saved = full_reconstruction(tmp_path / "photos")
    saved.views[1].photo.unlink()
    with pytest.raises(UserError, match=r"b\.jpg is gone"):
        saved.save(tmp_path / "capture")
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos"]


# No trust


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return full_reconstruction(tmp_path / "photos").save(tmp_path / "capture")


def edit(capture: Path, change: Callable[[Document], None]) -> None:
    file = capture / "reconstruction.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def set_at(*path: str | int, value: Any) -> Callable[[Document], None]:
    """An edit: the entry at `path` becomes `value`."""

    def change(document: Document) -> None:
        entry: Any = document
        for key in path[:-1]:
            entry = entry[key]
        entry[path[-1]] = value

    return change


def test_a_folder_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(FormatError):
            Reconstruction.load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"schema": true}',
        b'{"schema": "1"}',
        b'{"schema": 0}',
        b'{"schema": 1}',
        b'{"schema": 1e999}',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"schema": ' * 50_000,
        b'{"schema": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_description_that_is_none_is_refused(capture: Path, content: bytes) -> None:
    (capture / "reconstruction.json").write_bytes(content)
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


def test_a_truncated_description_is_refused(capture: Path) -> None:
    file = capture / "reconstruction.json"
    content = file.read_bytes()
    for length in range(0, len(content) - 2, 397):
        file.write_bytes(content[:length])
        with pytest.raises(FormatError):
            Reconstruction.load(capture)


def test_a_newer_capture_asks_for_an_update(capture: Path) -> None:
    edit(capture, set_at("schema", value=SCHEMA + 1))
    with pytest.raises(FormatError, match="newer version"):
        Reconstruction.load(capture)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(capture: Path, constant: str) -> None:
    edit(capture, set_at("views", 0, "intrinsics", 0, 0, value=float(constant.lower().replace("infinity", "inf"))))
    assert constant in (capture / "reconstruction.json").read_text(encoding="utf-8")
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


def every_place(entry: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every entry of a document; of lists, of their first."""
    inside = entry.items() if isinstance(entry, dict) else enumerate(entry) if isinstance(entry, list) else ()
    return [
        place
        for key, value in inside
        if key == 0 or isinstance(key, str)  # one of each list will do
        for place in [(*path, key), *every_place(value, (*path, key))]
    ]


FREE = ("settings", "report", "weights")  # the artist's and the engine's own: any JSON below them is kept as it is


@pytest.mark.parametrize("value", [None, True, -1, 1.5, 10**400, "x", "\0", "\ud800", [], [[]], {}, {"a": 1}])
def test_wrong_types_anywhere_are_refused_or_read_as_the_right_type(capture: Path, value: Any) -> None:
    file = capture / "reconstruction.json"
    content = file.read_text(encoding="utf-8")
    refused = 0
    for place in every_place(json.loads(content)):
        edit(capture, set_at(*place, value=value))
        try:
            loaded = Reconstruction.load(capture)
        except FormatError as error:
            refused += 1
            assert str(capture) in error.sentence
        else:
            if place[0] not in FREE and loaded.views and loaded.views[0].photo.is_file():
                again = loaded.save(capture.parent / "again", overwrite=True)  # whatever was accepted is whole
                Reconstruction.load(again)
        file.write_text(content, encoding="utf-8")
    assert refused > 30


def test_anything_missing_is_refused(capture: Path) -> None:
    file = capture / "reconstruction.json"
    content = file.read_text(encoding="utf-8")
    document = json.loads(content)
    # Captures of before have no matches.
    places = [(key,) for key in document if key != "matches"] + [("views", 0, key) for key in document["views"][0]]
    for place in places:

        def remove(document: Document, place: tuple[str | int, ...] = place) -> None:
            entry: Any = document
            for key in place[:-1]:
                entry = entry[key]
            del entry[place[-1]]

        edit(capture, remove)
        with pytest.raises(FormatError):
            Reconstruction.load(capture)
        file.write_text(content, encoding="utf-8")


def test_nesting_without_end_is_refused_where_a_text_should_be(capture: Path) -> None:
    file = capture / "reconstruction.json"
    deep = "[" * 900 + "]" * 900
    file.write_text(file.read_text(encoding="utf-8").replace('"engine": "sfm"', f'"engine": {deep}'), encoding="utf-8")
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.npy",
        "arrays/../../secret.npy",
        "/etc/hostname",
        "arrays\\..\\..\\secret.npy",
        "",
        "arrays",
        "a" * 9000,
    ],
)
def test_names_that_leave_the_folder_are_refused(capture: Path, name: str) -> None:
    np.save(capture.parent / "secret.npy", np.full((5, 7), 3, np.float32))
    edit(capture, set_at("views", 0, "arrays", "depth", value=name))
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


@pytest.mark.parametrize("name", ["", ".", "./."])
def test_a_picture_that_is_the_folder_itself_is_refused(capture: Path, name: str) -> None:
    edit(capture, set_at("views", 0, "photo", value={"inside": name}))
    with pytest.raises(FormatError, match="as no file can be named"):
        Reconstruction.load(capture)


def test_a_picture_outside_the_folder_is_refused(capture: Path) -> None:
    edit(capture, set_at("views", 0, "photo", value={"inside": "../photos/b.jpg"}))
    with pytest.raises(FormatError, match="outside its own folder"):
        Reconstruction.load(capture)


def test_a_picture_that_is_neither_the_original_nor_inside_is_refused(capture: Path) -> None:
    """Saving again would copy it into the capture."""
    secret = capture.parent / "secret.txt"
    secret.write_bytes(b"private")
    edit(capture, set_at("views", 0, "photo", value={"relative": "../secret.txt", "absolute": str(secret)}))
    with pytest.raises(FormatError, match="'inside' is missing"):
        Reconstruction.load(capture)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_links_that_leave_the_folder_are_refused(capture: Path) -> None:
    array = capture / "arrays" / "view_0000_depth.npy"
    os.replace(array, capture.parent / "depth.npy")
    array.symlink_to(capture.parent / "depth.npy")
    with pytest.raises(FormatError, match="outside its own folder"):
        Reconstruction.load(capture)
    array.unlink()
    array.symlink_to(array)
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


def test_a_missing_array_is_named(capture: Path) -> None:
    (capture / "arrays" / "view_0001_confidence.npy").unlink()
    with pytest.raises(FormatError, match="view_0001_confidence"):
        Reconstruction.load(capture)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path("exploded").write_text, ("boom",)


def test_pickles_are_not_opened(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(capture)
    file = capture / "arrays" / "view_0000_depth.npy"
    np.save(file, np.array([_Bomb()], object), allow_pickle=True)
    with pytest.raises(FormatError):
        Reconstruction.load(capture)
    file.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(FormatError):
        Reconstruction.load(capture)
    assert not (capture / "exploded").exists()


def npy(header: str, data: bytes = b"") -> bytes:
    """An array file with a header of our choice."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04",
        npy(""),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 7), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 7), }", bytes(139)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 7), }", bytes(141)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999, 999999999999999), }", bytes(140)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 999999999999999, 999999999999999), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (35), }", bytes(140)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (7, 5), }", bytes(140)),
        npy("{'descr': '>f4', 'fortran_order': False, 'shape': (5, 7), }", bytes(140)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 7), }", bytes(280)),
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': (5, 7), }", bytes(140)),
        npy("{'descr': '<f9', 'fortran_order': False, 'shape': (5, 7), }", bytes(140)),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (5, 7), }", bytes(280)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-5, -7), }", bytes(140)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 7), }" + "(" * 9000, bytes(140)),
        npy("(" * 60000, bytes(140)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 7), }", b"\x00\x00\xc0\x7f" * 35),
    ],
)
def test_array_files_that_lie_are_refused(capture: Path, content: bytes) -> None:
    (capture / "arrays" / "view_0000_depth.npy").write_bytes(content)
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


@pytest.mark.skipif(os.name == "nt", reason="files with holes are asked for in another way on Windows")
def test_what_is_absurdly_large_is_refused_unread(capture: Path) -> None:
    """Files with holes: on the disk they are nothing, and in memory they would be 9 GB each."""
    depth = capture / "arrays" / "view_0000_depth.npy"
    content = depth.read_bytes()
    depth.write_bytes(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (48000, 48000), }"))
    os.truncate(depth, depth.stat().st_size + 48000 * 48000 * 4)
    with pytest.raises(FormatError, match=r"view_0000_depth\.npy is missing or damaged") as refused:
        Reconstruction.load(capture)
    assert "larger than any array" in refused.value.detail
    depth.write_bytes(content)
    os.truncate(capture / "reconstruction.json", 9 << 30)
    with pytest.raises(FormatError, match="cannot be read") as refused:
        Reconstruction.load(capture)
    assert "larger than any description" in refused.value.detail


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("camera_from_world", np.diag([-1.0, 1, 1, 1]).tolist(), "not rigid"),
        ("camera_from_world", np.diag([2.0, 2, 2, 1]).tolist(), "not rigid"),
        ("camera_from_world", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], "last row"),
        ("camera_from_world", [[1, 0, 0], [0, 1, 0]], "shape"),
        ("camera_from_world", [["1e999"] * 4] * 4, "finite"),
        ("camera_from_world", np.diag([1e200, 1, 1, 1]).tolist(), "beyond any scene"),
        ("intrinsics", [[-600, 0, 350], [0, 600, 250], [0, 0, 1]], "focal length"),
        ("intrinsics", [[600, 0], [0, 600, 250], [0, 0, 1]], "inhomogeneous"),
        ("photo_from_grid", [[-100, 0, 0], [0, 100, 0], [0, 0, 1]], "mirrors"),
        ("width", 10**9, "side of a photo"),
        ("height", 0, "side of a photo"),
    ],
)
def test_cameras_that_are_none_are_refused(capture: Path, key: str, value: Any, said: str) -> None:
    edit(capture, set_at("views", 0, key, value=value))
    with pytest.raises(FormatError, match=said):
        Reconstruction.load(capture)


@pytest.mark.parametrize(
    ("diagonal", "said"), [([1.0, -1, 1, 1], "not a similarity"), ([1e308, 1e308, 1e308, 1], "beyond any scene")]
)
def test_a_mirrored_or_endless_scene_is_refused(capture: Path, diagonal: list[float], said: str) -> None:
    edit(capture, set_at("scene_from_world", value=np.diag(diagonal).tolist()))
    with pytest.raises(FormatError, match=said):
        Reconstruction.load(capture)


def test_what_is_refused_is_refused_shortly(capture: Path) -> None:
    """A megabyte in the wrong place is not repeated to the artist."""
    for place in (("scene_from_world",), ("views", 0, "arrays", "depth"), ("views", 0, "photo", "inside")):
        content = (capture / "reconstruction.json").read_bytes()
        edit(capture, set_at(*place, value="a" * 1_000_000))
        with pytest.raises(FormatError) as refused:
            Reconstruction.load(capture)
        assert len(refused.value.sentence) < 1000
        (capture / "reconstruction.json").write_bytes(content)


def test_an_array_in_another_views_shape_is_refused(capture: Path) -> None:
    np.save(capture / "arrays" / "view_0000_relief_depth.npy", np.ones((6, 7), np.float32))
    with pytest.raises(FormatError, match="relief_depth has shape"):
        Reconstruction.load(capture)


@pytest.mark.parametrize("view", [-1, 2, 2**31 - 1])
def test_points_of_views_that_do_not_exist_are_refused(capture: Path, view: int) -> None:
    np.save(capture / "arrays" / "points_view.npy", np.full(9, view, np.int32))
    with pytest.raises(FormatError, match="does not exist"):
        Reconstruction.load(capture)


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("view", np.array([[0, 2]] * 6, np.int32), "does not exist"),
        ("view", np.array([[-1, 1]] * 6, np.int32), "does not exist"),
        ("view", np.array([[1, 1]] * 6, np.int32), "two photos in their order"),
        ("view", np.zeros((5, 2), np.int32), "."),
        ("pixel", np.full((6, 2, 2), 701, np.float32), "outside of its photo"),
        ("pixel", np.full((6, 2, 2), np.nan, np.float32), "not finite"),
        ("pixel", np.zeros((6, 4), np.float32), "has shape"),
        ("confidence", np.full(6, 2, np.float32), "leaves"),
    ],
)
def test_matches_that_are_none_are_refused(capture: Path, name: str, values: np.ndarray[Any, Any], why: str) -> None:
    np.save(capture / "arrays" / f"matches_{name}.npy", values)
    with pytest.raises(FormatError, match=why):
        Reconstruction.load(capture)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["reconstruction.json", "arrays/view_0000_depth.npy"])
def test_pipes_are_not_waited_for(capture: Path, name: str) -> None:
    (capture / name).unlink()
    os.mkfifo(capture / name)
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


@pytest.mark.parametrize("photo", [os.devnull, ".", "a\0b"])
def test_a_photo_that_is_no_file_is_refused(capture: Path, photo: str) -> None:
    for key in ("photo", "original"):
        edit(capture, set_at("views", 0, key, value={"relative": None, "absolute": photo}))
    with pytest.raises(FormatError):
        Reconstruction.load(capture)


def test_another_runs_capture_is_not_replaced_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, folder = full_reconstruction(tmp_path / "photos"), tmp_path / "capture"
    real = np.save

    def meanwhile(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        folder.mkdir(exist_ok=True)
        (folder / "reconstruction.json").write_text("other")

    monkeypatch.setattr("numpy.save", meanwhile)
    with pytest.raises(UserError):
        saved.save(folder)
    assert (folder / "reconstruction.json").read_text() == "other"
