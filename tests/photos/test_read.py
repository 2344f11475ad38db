"""Photo files of many kinds: upright, 8-bit sRGB, or one sentence."""

import contextlib
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.errors import PhotoError
from vggt_addon.photos import opening
from vggt_addon.photos.read import decode, opacity, probe

LOSSLESS: dict[str, dict[str, Any]] = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}


def blocks() -> NDArray[np.uint8]:
    """(48, 96, 3) with a colour of its own in each of 6 x 3 blocks."""
    colors = np.random.default_rng(3).integers(30, 225, (3, 6, 3), np.uint8)
    return colors.repeat(16, axis=0).repeat(16, axis=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
def test_every_orientation_of_every_format(tmp_path: Path, every_kind: ModuleType, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind}"
    options = LOSSLESS.get(kind, {})
    Image.fromarray(np.ascontiguousarray(every_kind.STORED[orientation](blocks()))).save(path, exif=exif, **options)
    photo = probe(path)
    assert (photo.width, photo.height, photo.orientation) == (96, 48, orientation)
    assert photo.shown_as_is is (orientation == 1)
    difference = np.abs(decode(photo).astype(int) - blocks())
    assert difference.max() <= (4 if kind == "jpg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_orientation_of_a_tiff_of_any_kind(
    tmp_path: Path, every_kind: ModuleType, mode: str, compression: str | None, orientation: int
) -> None:
    upright = Image.fromarray(blocks()).convert(mode)
    if mode.endswith("A"):
        upright.putalpha(Image.fromarray(blocks()[..., 0]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(every_kind.STORED[orientation](np.asarray(upright))))
    photo = probe(_save(tmp_path / "photo.tif", stored, exif=exif, compression=compression))
    assert (photo.width, photo.height) == (96, 48)
    on_white = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA")).convert("RGB")
    np.testing.assert_array_equal(decode(photo), np.asarray(on_white))
    found = opacity(photo)
    assert (found is None) != mode.endswith("A")
    np.testing.assert_array_equal(255 if found is None else found, np.asarray(upright.convert("RGBA"))[..., 3])


def test_what_is_transparent_is_white_and_told(tmp_path: Path) -> None:
    """Once for all: what the engines are given and what Blender shows is the same picture."""
    half = np.full((32, 32, 4), (200, 100, 0, 255), np.uint8)
    half[:, :16, 3] = 0
    half[:16, :16, 3] = 128
    photo = probe(_save(tmp_path / "cut_out.png", Image.fromarray(half)))
    assert not photo.shown_as_is
    pixels, opaque = decode(photo), opacity(photo)
    np.testing.assert_array_equal(pixels[:, 16:], np.broadcast_to((200, 100, 0), (32, 16, 3)))
    np.testing.assert_array_equal(pixels[16:, :16], np.full((16, 16, 3), 255))
    assert np.abs(pixels[:16, :16] - [227.4, 177.2, 127.0]).max() <= 1
    assert opaque is not None
    np.testing.assert_array_equal(opaque, half[..., 3])


def _save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(32, axis=0)
    photo = probe(_save(tmp_path / "deep.png", Image.fromarray(ramp)))
    assert not photo.shown_as_is
    assert np.abs(decode(photo)[..., 0].astype(float) - ramp / 257).max() <= 1


@pytest.mark.parametrize("mode", ["P", "CMYK", "LA", "RGBA", "1", "L"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(blocks()).convert(mode)
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    photo = probe(_save(path, image))
    assert decode(photo).shape == (48, 96, 3)
    assert photo.shown_as_is is (mode == "L")


def test_smaller_is_quicker_but_covers_what_was_asked(tmp_path: Path) -> None:
    large = Image.fromarray(blocks()).resize((1920, 960))
    photo = probe(_save(tmp_path / "large.jpg", large, quality=90))
    small = decode(photo, at_least=400)
    assert 400 <= small.shape[1] < 1920
    assert np.isclose(small.shape[1] / small.shape[0], 2.0, rtol=0.01)


@pytest.mark.parametrize("size", [(2003, 1501), (2004, 1504), (2000, 1000)])
@pytest.mark.parametrize("orientation", [1, 3])
def test_smaller_is_smaller_by_a_whole_factor(
    tmp_path: Path, every_kind: ModuleType, size: tuple[int, int], orientation: int
) -> None:
    """A dot near the far corner stays where it is, whatever the photo's size and turn."""
    width, height = size
    x, y = width - 40.0, height - 60.0
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    dot = (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 128)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(every_kind.STORED[orientation](dot[..., None].repeat(3, axis=2)))
    photo = probe(_save(tmp_path / "dot.jpg", Image.fromarray(stored), exif=exif, quality=95))
    small = decode(photo, at_least=400)[..., 0].astype(float)
    factor = width / small.shape[1]
    assert factor == int(factor) == height / small.shape[0]
    small[small < 16] = 0
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]] + 0.5
    found = factor * np.array([(small * columns).sum(), (small * rows).sum()]) / small.sum()
    assert np.abs(found - (x, y)).max() < 0.1


def test_identity_is_the_bytes_not_the_name(tmp_path: Path) -> None:
    first = probe(_save(tmp_path / "a.png", Image.fromarray(blocks())))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert probe(tmp_path / "b.png").sha256 == first.sha256


def _bytes(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"this is no picture at all" * 10,
    "head.png": _bytes(Image.fromarray(blocks()), "png")[:40],
    "tiny.png": _bytes(Image.new("RGB", (8, 8)), "png"),
    "gif.jpg": _bytes(Image.fromarray(blocks()), "gif"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_broken_files_are_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(PhotoError, match=name):
        probe(tmp_path / name)


def test_truncated_picture_is_one_sentence_when_decoded(tmp_path: Path) -> None:
    whole = _bytes(Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)), "jpeg")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PhotoError, match="damaged"):
        decode(probe(tmp_path / "cut.jpg"))


def test_absurd_size_is_refused_before_memory_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoError, match="claims 96 x 48"):
        probe(_save(tmp_path / "bomb.png", Image.fromarray(blocks())))


def test_missing_and_changed_files(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="does not exist"):
        probe(tmp_path / "gone.jpg")
    photo = probe(_save(tmp_path / "a.png", Image.fromarray(blocks())))
    Image.fromarray(blocks()).rotate(90, expand=True).save(tmp_path / "a.png")
    with pytest.raises(PhotoError, match="has changed"):
        decode(photo)


def test_stereo_jpeg_is_its_first_picture(tmp_path: Path) -> None:
    """MPO: what some cameras and phones write under the name .jpg."""
    second = Image.fromarray(255 - blocks())
    path = _save(tmp_path / "phone.jpg", Image.fromarray(blocks()), format="MPO", save_all=True, append_images=[second])
    photo = probe(path)
    assert photo.shown_as_is
    assert np.abs(decode(photo).astype(int) - blocks()).mean() < 20


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_no_byte_of_the_header_is_trusted(tmp_path: Path, kind: str) -> None:
    """Each byte of a turned photo's header in turn becomes another one: a picture comes back, or one sentence."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    exif.get_ifd(0x8769)[0x920A] = 5.0
    path = _save(tmp_path / f"photo.{kind}", Image.fromarray(blocks()), exif=exif)
    whole = path.read_bytes()
    header = range(2, 180) if kind == "jpg" else [*range(24), *range(len(whole) - 330, len(whole))]
    good = 0
    for place in header:
        for value in (0, 1, 5, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with contextlib.suppress(PhotoError):
                decode(probe(path))
                good += 1
    assert good > 200


def test_what_blender_would_show_otherwise_is_not_shown_as_it_is(tmp_path: Path, every_kind: ModuleType) -> None:
    """16-bit colour, a colour that means transparent, and moving pictures get a plain copy."""
    every_kind.write_png16(tmp_path / "deep.png", np.zeros((64, 64, 3), np.uint16))
    still = Image.fromarray(blocks())
    _save(tmp_path / "keyed.png", still, transparency=(1, 2, 3))
    _save(tmp_path / "moving.webp", still, save_all=True, append_images=[Image.fromarray(255 - blocks())])
    for name in ("deep.png", "keyed.png", "moving.webp"):
        photo = probe(tmp_path / name)
        assert not photo.shown_as_is, name
        assert decode(photo).shape[2] == 3
