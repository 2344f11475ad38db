"""The table of mishaps: what can be wrong with photos and places, and what becomes of it.

Each file of MISHAPS lies between good photos in one folder. It is used rightly, or left out with one sentence that
names it and says what to do; the others go on. What needs more than a file (disks, runs, kills) is in ELSEWHERE, by
test.
"""

import ast
import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from vggt_addon.errors import PhotoError
from vggt_addon.photos.files import find_each
from vggt_addon.photos.gather import PhotoSet, gather
from vggt_addon.photos.read import decode
from vggt_addon.pipeline import reconstruct
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import EngineSettings, RunSettings

REPOSITORY = Path(__file__).parent.parent
pillow_heif.register_heif_opener()


class Mishap(NamedTuple):
    """A file of a name, how it is made, and the sentence that leaves it out; None where it is used."""

    name: str
    make: Callable[[Path], object]
    sentence: str | None


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(30, 225, (size[1], size[0], 3), np.uint8))


def encoded(seed: int, kind: str = "jpeg", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, kind, **options)
    return buffer.getvalue()


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def bomb(side: int) -> bytes:
    """A PNG of 100 bytes that claims to be a square of `side` pixels."""
    data = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    for kind, chunk in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        data += struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
    return data


def turned(orientation: int) -> Callable[[Path], object]:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return holding(encoded(100 + orientation, exif=exif))


MISHAPS = [
    Mishap("empty.jpg", holding(b""), r"^empty\.jpg is empty: copy it"),
    Mishap("text.jpg", holding(b"no picture at all, " * 20), r"^text\.jpg is not a JPEG.* or is damaged"),
    Mishap("page.png", holding(b"<!DOCTYPE html><html></html>"), r"^page\.png is not a JPEG"),
    Mishap("header_cut.jpg", holding(encoded(1)[:60]), r"^header_cut\.jpg is"),
    Mishap("header_cut.tif", holding(encoded(2, "tiff")[:6]), r"^header_cut\.tif is"),
    Mishap("header_cut.heic", holding(encoded(3, "heif")[:100]), r"^header_cut\.heic is"),
    Mishap("header_cut.avif", holding(encoded(4, "avif")[:100]), r"^header_cut\.avif is"),
    Mishap("cut.jpg", holding(encoded(5)[:-900]), r"^cut\.jpg is damaged and cannot be read: export it again"),
    Mishap("cut.png", holding(encoded(6, "png")[:-900]), r"^cut\.png is damaged"),
    Mishap("cut.webp", holding(encoded(7, "webp")[:-300]), r"^cut\.webp is"),
    Mishap("cut.tif", holding(encoded(8, "tiff", compression="tiff_lzw")[:-9000]), r"^cut\.tif is"),
    Mishap("cut.heic", holding(encoded(9, "heif")[:-300]), r"^cut\.heic is damaged"),
    Mishap("cut.avif", holding(encoded(10, "avif")[:-300]), r"^cut\.avif is"),
    Mishap("dot.png", lambda path: picture(11, (1, 1)).save(path), r"^dot\.png has only 1 x 1 pixels, too few"),
    Mishap("strip.png", lambda path: picture(12, (900, 4)).save(path), r"^strip\.png has only 900 x 4 pixels"),
    Mishap("bomb.png", holding(bomb(60_000)), r"^bomb\.png claims more pixels than any photo has"),
    Mishap("grenade.png", holding(bomb(19_000)), r"^grenade\.png claims 19000 x 19000 pixels, more than any photo of"),
    Mishap("movie.jpg", holding(encoded(13, "gif")), r"^movie\.jpg is a GIF, not a JPEG.*: export it as one of these"),
    Mishap("IMG.dng", holding(encoded(14, "tiff")), r"^IMG\.dng is a camera's raw file: develop it"),
    Mishap("wrong_suffix.jpg", holding(encoded(15, "png")), None),
    Mishap("wrong_suffix.png", holding(encoded(16, "heif")), None),
    Mishap("bad_exif.jpg", holding(encoded(17, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff junk")), None),
    Mishap("bad_exif.heic", holding(encoded(18, "heif", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")), None),
    Mishap("bad_profile.jpg", holding(encoded(19, icc_profile=b"no profile" * 40)), None),
    *(Mishap(f"turned_{number}.jpg", turned(number), None) for number in range(1, 9)),
    Mishap("with some  spaces .jpg", holding(encoded(20)), None),
    Mishap("\u00fcml\u00e4ute und \u00df.jpg", holding(encoded(21)), None),
    Mishap("\u5199\u771f \U0001f600.jpg", holding(encoded(22)), None),
    Mishap("-o.jpg", holding(encoded(23)), None),
    Mishap("--force.jpg", holding(encoded(24)), None),
    Mishap("%d 100% {a} [b] 'c' \"d\" $HOME.jpg", holding(encoded(25)), None),
    Mishap("line\nbreak.jpg", holding(encoded(26)), None),
    Mishap(f"{'long' * 49}.jpg", holding(encoded(27)), None),  # 200 characters
    Mishap("CAPITALS.JPG", holding(encoded(28)), None),
    Mishap("link_to_nowhere.jpg", lambda path: path.symlink_to("gone.jpg"), r"^link_to_nowhere\.jpg is a link to a"),
    Mishap("link_in_a_circle.jpg", lambda path: path.symlink_to(path), r"^link_in_a_circle\.jpg is a link to a file"),
    Mishap("zz twice.jpg", holding(encoded(20)), r"^It is the same file as with some  spaces \.jpg\.$"),
]
IDS = [ascii(mishap.name[:30]) for mishap in MISHAPS]

ELSEWHERE = {
    "a capture's photos are gone when one is added": "tests/engines/localisation/test_add.py::"
    "test_a_capture_without_depth_or_its_own_pictures_is_told",
    "a file vanishes while it is in use": "tests/engines/vggt/test_engine.py::"
    "test_a_photo_that_goes_away_while_the_network_works_is_left_out",
    "a chosen file is gone when the run begins": "tests/photos/test_gather.py::"
    "test_a_photo_that_has_gone_keeps_none_of_the_others_from_the_run",
    "a mask is no picture": "tests/photos/test_masks.py::"
    "test_a_mask_that_cannot_be_read_is_named_and_the_photo_used_whole",
    "a mask is of another shape": "tests/photos/test_masks.py::"
    "test_a_mask_of_another_shape_is_named_and_the_photo_used_whole",
    "a mask leaves nothing": "tests/photos/test_masks.py::"
    "test_a_mask_that_leaves_nothing_is_an_error_and_one_that_leaves_all_is_none",
    "a mask of a photo that is not there": "tests/photos/test_masks.py::test_a_mask_that_belongs_to_no_photo_is_told",
    "a name that is no Unicode": "tests/ui/test_odd_moments.py::"
    "test_a_name_that_is_no_unicode_is_a_photo_like_any_other",
    "a pipe under a photo's name": "tests/photos/test_files.py::test_what_is_no_file_is_not_waited_for",
    "the output's folder is protected": "tests/test_outputs.py::test_a_protected_folder",
    "the output's disk is full": "tests/test_reconstruction_files.py::"
    "test_a_full_disk_costs_a_sentence_and_leaves_the_old_capture",
    "the output's disk is full, in Blender": "tests/ui/test_faults.py::test_a_full_disk_is_a_sentence",
    "the worker's disk is full": "tests/jobs/test_worker_tasks.py::test_a_full_disk_is_told_whatever_it_broke",
    "two runs into one folder": "tests/test_reconstruction_files.py::test_another_runs_capture_is_not_replaced_unasked",
    "two runs into one folder, the other one faster": "tests/test_commands.py::"
    "test_what_another_run_made_meanwhile_is_left_alone",
    "Ctrl-C while writing": "tests/test_commands.py::test_ctrl_c_leaves_nothing_half_written",
    "the command line is killed while writing": "tests/kills.py::main",  # by make test-faults
    "the worker is killed": "tests/ui/test_faults.py::test_a_worker_killed_by_the_system_costs_one_message",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All mishaps between three neighbouring photos of the courtyard, of which a scene can be made."""
    folder = tmp_path_factory.mktemp("mishaps")
    for mishap in MISHAPS:
        mishap.make(folder / mishap.name)
    for number in (1, 2, 3):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            image.resize((360, 240)).save(folder / f"courtyard_{number:02d}.jpg", exif=image.info["exif"], quality=92)
    return folder


@pytest.fixture(scope="module")
def looked_at(folder: Path) -> PhotoSet:
    """Once for all rows, with the raw file, which no folder is searched for, named by itself."""
    return gather([folder, folder / "IMG.dng"])


@pytest.mark.parametrize("mishap", MISHAPS, ids=IDS)
def test_it_is_used_or_named_in_one_sentence(looked_at: PhotoSet, mishap: Mishap) -> None:
    reasons = [photo.reason for photo in looked_at.left_out if photo.name == mishap.name]
    used = [photo for photo in looked_at.photos if photo.name == mishap.name]
    assert len(reasons) + len(used) == 1
    if used:
        try:
            pixels = decode(used[0])
        except PhotoError as error:  # found out only when all of it is read
            reasons = [error.sentence]
        else:
            assert pixels.shape == (used[0].height, used[0].width, 3)
    if mishap.sentence is None:
        assert not reasons
        return
    (reason,) = reasons
    assert re.search(mishap.sentence, reason), reason
    assert reason.endswith(".") and "\n" not in reason and "Error" not in reason


def test_the_others_go_on_and_each_is_named(folder: Path, tmp_path: Path) -> None:
    """Through the real engine: what cannot be read, what fits nothing else, and a scene of the rest."""
    settings = RunSettings(engine="sfm", engine_settings=EngineSettings(depth_size=64, threads=2), point_budget=2000)
    (tmp_path / "work").mkdir()
    made = reconstruct([folder], tmp_path / "work", settings)
    capture = Reconstruction.load(made.save(tmp_path / "capture"))
    assert {view.name for view in capture.views} == {f"courtyard_{number:02d}.jpg" for number in (1, 2, 3)}
    named = [photo.name for photo in capture.left_out]
    assert sorted(named) == sorted(mishap.name for mishap in MISHAPS if mishap.name != "IMG.dng")
    assert all(photo.reason.endswith(".") for photo in capture.left_out)


@pytest.mark.parametrize("later", [encoded(31), encoded(32)[:200], b""], ids=["another", "cut", "empty"])
def test_a_file_that_changes_in_the_middle_of_a_run(tmp_path: Path, later: bytes) -> None:
    """Even to another picture of the same size: its camera would be the old one's."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(30))
    (photo,) = gather([path]).photos
    os.utime(path, (1, 1))
    decode(photo)  # only its time is new
    path.write_bytes(later)
    with pytest.raises(PhotoError, match=r"^a\.jpg (has changed while it was in use|is)"):
        decode(photo)


def test_a_file_that_vanishes_in_the_middle_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(30))
    (photo,) = gather([path]).photos
    path.unlink()
    with pytest.raises(PhotoError, match=r"a\.jpg does not exist any more\.$"):
        decode(photo)


def test_files_and_folders_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a patch, since nothing is forbidden to whoever runs tests as root."""
    (tmp_path / "a.jpg").write_bytes(encoded(30))
    refused = PermissionError(13, "Permission denied")

    def refuse(*_: object, **__: object) -> None:
        raise refused

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(PhotoError, match=r"a\.jpg may not be read: check the file's permissions\.$"):
            gather([tmp_path / "a.jpg"])
    monkeypatch.setattr(Path, "iterdir", refuse)
    _, nowhere = find_each([tmp_path])
    assert nowhere == {str(tmp_path): f"{tmp_path} cannot be read: Permission denied."}


@pytest.mark.parametrize("mishap", ELSEWHERE)
def test_what_is_tested_elsewhere_is(mishap: str) -> None:
    file, _, function = ELSEWHERE[mishap].partition("::")
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert any(isinstance(node, ast.FunctionDef) and node.name == function for node in ast.walk(tree))
