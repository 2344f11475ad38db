"""The pictures that are made because Blender cannot show the file, or should not show all of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import probe
from vggt_addon.photos.upright_copy import needs_copy, write_upright_copy


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """600 x 400, plain."""
    ramp = np.linspace(0, 255, 600).astype(np.uint8)
    Image.fromarray(np.broadcast_to(ramp[None, :, None], (400, 600, 3)).copy()).save(tmp_path / "a.png")
    return probe(tmp_path / "a.png")


def test_only_what_cannot_or_should_not_be_shown_is_copied(photo: Photo) -> None:
    assert not needs_copy(photo, 0) and not needs_copy(photo, 600) and not needs_copy(photo, 601)
    assert needs_copy(photo, 599)
    assert needs_copy(replace(photo, shown_as_is=False), 0)


def test_a_copy_is_no_longer_than_asked_for_and_shows_the_same(photo: Photo, tmp_path: Path) -> None:
    with Image.open(photo.path) as image:
        pixels = np.asarray(image)
    whole = write_upright_copy(pixels, photo.name, tmp_path / "whole")
    small = write_upright_copy(pixels, photo.name, tmp_path / "small", 150)
    larger = write_upright_copy(pixels, photo.name, tmp_path / "larger", 6000)
    sizes = []
    for path in (whole, small, larger):
        with Image.open(path) as image:
            sizes.append(image.size)
            shown = np.asarray(image.resize((30, 20), Image.Resampling.BOX)).astype(int)
        expected = pixels.reshape(20, 20, 30, 20, 3).mean(axis=(1, 3))
        assert np.abs(shown - expected).max() < 3
    assert sizes == [(600, 400), (150, 100), (600, 400)]


def test_the_short_side_keeps_a_pixel(tmp_path: Path) -> None:
    path = write_upright_copy(np.zeros((16, 4000, 3), np.uint8), "strip.png", tmp_path, 100)
    with Image.open(path) as image:
        assert image.size == (100, 1)
