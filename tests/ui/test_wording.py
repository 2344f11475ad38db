"""Figures in words, sentences in lines."""

import pytest

from vggt_addon.ui import wording


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.6, "60 s"), (89.9, "90 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_a_duration_has_one_unit(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


def test_a_wider_panel_takes_more_letters_and_a_larger_interface_fewer() -> None:
    assert wording.letters(400, 1.0) > wording.letters(300, 1.0) > wording.letters(300, 1.5)
    assert wording.letters(1, 1.0) == wording.NARROWEST


def test_lines_keep_every_word_and_fit() -> None:
    text = "The photo garden_0042.jpg is damaged and cannot be read: export it again.\nSecond paragraph."
    lines = wording.lines(text, 20)
    assert all(len(line) <= 20 for line in lines)
    assert " ".join(lines).split() == text.split()


def test_a_path_without_a_space_is_broken_rather_than_lost() -> None:
    path = "/" + "folder/" * 12
    assert "".join(wording.lines(path, 16)) == path


def test_one_photo_is_no_photos() -> None:
    assert wording.counted(1, "photo", "photos") == "1 photo"
    assert wording.counted(1234, "photo", "photos") == "1,234 photos"


def test_the_focal_length_of_a_full_frame_camera_is_its_own() -> None:
    assert wording.focal_millimetres(4000, 6000, 4000) == pytest.approx(24.0)
    assert wording.focal_millimetres(4000, 4000, 6000) == pytest.approx(24.0)
