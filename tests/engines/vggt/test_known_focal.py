"""What an artist may say of focal lengths, and what each photo gets."""

from pathlib import Path

import pytest

from vggt_addon.engines.vggt.known_focal import is_focal, known_focals
from vggt_addon.errors import EngineError
from vggt_addon.photos.photo import FocalPrior, Photo


def photo(width: int, height: int, prior: float | None = None) -> Photo:
    focal = None if prior is None else FocalPrior(prior, "exif 35 mm equivalent")
    return Photo(Path("/p.jpg"), "p.jpg", "0" * 64, width, height, 1, focal, "", True)


LANDSCAPE, PORTRAIT, SMALL = photo(4000, 3000), photo(3000, 4000, 3100.0), photo(1000, 750)


@pytest.mark.parametrize("text", ["network", "shared"])
def test_some_leave_it_to_the_network(text: str) -> None:
    assert known_focals(text, [LANDSCAPE, PORTRAIT]) is None


def test_the_files_is_taken_where_it_says_one() -> None:
    assert known_focals("exif", [LANDSCAPE, PORTRAIT]) == [None, 3100.0]


@pytest.mark.parametrize("text", ["3200", "3200.0", "28.8mm", "28.8 mm"])
def test_a_number_is_for_all_photos_by_their_long_sides(text: str) -> None:
    assert known_focals(text, [LANDSCAPE, PORTRAIT, SMALL]) == pytest.approx([3200, 3200, 800])


def test_pixels_are_the_references() -> None:
    assert known_focals("800", [SMALL, LANDSCAPE]) == pytest.approx([800, 3200])


@pytest.mark.parametrize("text", ["0", "999", "112001", "0mm", "8.9mm", "1009mm", "9999999"])
def test_no_lens_is_as_short_or_as_long(text: str) -> None:
    with pytest.raises(EngineError, match=r"from 9mm to 1008mm make sense, which in p\.jpg are 1000 to 112000 pixels"):
        known_focals(text, [LANDSCAPE])


@pytest.mark.parametrize(("text", "pixels"), [("1000", 1000), ("9mm", 1000), ("112000", 112000), ("1008mm", 112000)])
def test_the_limits_themselves_are_lenses(text: str, pixels: int) -> None:
    assert known_focals(text, [LANDSCAPE]) == pytest.approx([pixels])


@pytest.mark.parametrize("text", ["", "long", "-3", "+3", "1e3", "nan", "inf", "28 cm", "28MM", "٣", "1" * 400, "3\n"])
def test_anything_else_is_told(text: str) -> None:
    assert not is_focal(text)
    with pytest.raises(EngineError, match="choose one of network, shared, exif, a number of pixels, or millimetres"):
        known_focals(text, [LANDSCAPE])
