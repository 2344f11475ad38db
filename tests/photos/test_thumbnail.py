"""Thumbnails: upright, small, whole or not there."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.errors import PhotoError
from vggt_addon.photos import thumbnail
from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import decode, probe
from vggt_addon.photos.thumbnail import write_thumbnail


def halves(path: Path, size: tuple[int, int], orientation: int = 1) -> Photo:
    """A photo whose upper half, upright, is red, and whose lower one is blue."""
    image = Image.new("RGB", size, (220, 20, 20))
    image.paste((20, 20, 220), (0, size[1] // 2, *size))
    exif = Image.Exif()
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    image.save(path, exif=exif, quality=95)
    return probe(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_it_is_upright_small_and_a_png(tmp_path: Path, name: str, orientation: int) -> None:
    photo = halves(tmp_path / name, (1203, 801), orientation)
    write_thumbnail(photo, tmp_path / "thumbnail.png", 120)
    with Image.open(tmp_path / "thumbnail.png") as image:
        assert image.format == "PNG" and image.mode == "RGB" and image.size == (120, 80)
        pixels = np.asarray(image, int)
    assert np.abs(pixels[:38] - (220, 20, 20)).max() < 12
    assert np.abs(pixels[42:] - (20, 20, 220)).max() < 12


def test_a_small_photo_is_not_enlarged_and_a_strip_keeps_a_pixel(tmp_path: Path) -> None:
    for size, expected in (((64, 48), (64, 48)), ((4000, 16), (256, 1))):
        write_thumbnail(halves(tmp_path / "a.png", size), tmp_path / "thumbnail.png")
        with Image.open(tmp_path / "thumbnail.png") as image:
            assert image.size == expected


def test_a_jpeg_is_decoded_small_whatever_its_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4001 x 2999 can be divided by nothing; what is cut at the edge nobody sees in a list."""
    photo = halves(tmp_path / "a.jpg", (4001, 2999))
    sizes: list[tuple[int, ...]] = []

    def watched(photo: Photo, at_least: int, *, to_the_pixel: bool) -> NDArray[np.uint8]:
        pixels = decode(photo, at_least, to_the_pixel=to_the_pixel)
        sizes.append(pixels.shape)
        return pixels

    monkeypatch.setattr(thumbnail, "decode", watched)
    write_thumbnail(photo, tmp_path / "thumbnail.png")
    assert sizes == [(375, 501, 3)]
    with Image.open(tmp_path / "thumbnail.png") as image:
        assert image.size == (256, 192)


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = halves(tmp_path / "a.jpg", (400, 300))
    folder = tmp_path / "thumbnails"
    folder.mkdir()
    (folder / "one.png").write_bytes(b"older")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            write_thumbnail(photo, folder / "one.png")
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("one.png", b"older")]
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:700])
    with pytest.raises(PhotoError, match=r"a\.jpg"):
        write_thumbnail(photo, folder / "one.png")
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("one.png", b"older")]
    with pytest.raises(FileNotFoundError):
        write_thumbnail(halves(tmp_path / "b.jpg", (400, 300)), tmp_path / "none" / "one.png")
