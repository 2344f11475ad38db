"""Where photos lie in the network's input: sizes, padding, and the way back to photo pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vggt_addon.engines.vggt.framing import LONG_SIDE, MODES, PATCH, Framing, Mode, frame_photos

SIDE = st.integers(20, 12_000)
SIZES = st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=6)
LONG_SIDES = st.sampled_from([518, 392, 336, 14])


def input_size(framing: Framing) -> tuple[int, int]:
    return framing.input_width, framing.input_height


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ((4000, 3000), (518, 392)),
        ((900, 600), (518, 350)),
        ((600, 900), (350, 518)),
        ((450, 800), (294, 518)),
        ((800, 800), (518, 518)),
        ((518, 35), (518, 28)),  # 2.5 patches: half to even
        ((518, 63), (518, 56)),  # 4.5 patches
        ((20, 30), (350, 518)),
        ((12_000, 4000), (518, 168)),  # 12.33 patches
    ],
)
def test_whole_photos_of_one_size_fill_the_input(photo: tuple[int, int], expected: tuple[int, int]) -> None:
    framings = frame_photos([photo, photo])
    assert framings[0] == framings[1]
    assert input_size(framings[0]) == expected
    assert framings[0].content == (slice(0, expected[1]), slice(0, expected[0]))


def test_mixed_photos_share_the_smallest_input_and_stand_in_its_middle() -> None:
    landscape, other, portrait = frame_photos([(900, 600), (640, 480), (600, 900)])
    assert {input_size(landscape), input_size(other), input_size(portrait)} == {(518, 518)}
    assert landscape.content == (slice(84, 434), slice(0, 518))
    assert other.content == (slice(63, 455), slice(0, 518))
    assert portrait.content == (slice(0, 518), slice(84, 434))
    assert input_size(frame_photos([(900, 600), (640, 480)])[0]) == (518, 392)
    assert input_size(frame_photos([(600, 900), (480, 640)])[0]) == (392, 518)


def test_crop_cuts_a_portrait_and_pad_squares_a_landscape() -> None:
    (portrait,) = frame_photos([(450, 800)], "crop")
    assert (portrait.resized_width, portrait.resized_height) == (518, 924)  # 65.77 patches
    assert (portrait.cut_above, portrait.rows, input_size(portrait)) == (203, 518, (518, 518))
    top_left = portrait.photo_from_input @ [0, 0, 1]
    np.testing.assert_allclose(top_left, [0, 203 * 800 / 924, 1])
    (landscape,) = frame_photos([(900, 600)], "pad")
    assert (landscape.content, input_size(landscape)) == ((slice(84, 434), slice(0, 518)), (518, 518))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("photo", "rows"), [((518, 6), 6), ((12_000, 160), 6), ((12_000, 20), 2), ((100_000, 16), 2)])
def test_a_strip_keeps_a_patch_and_its_aspect(mode: Mode, photo: tuple[int, int], rows: int) -> None:
    (strip,) = frame_photos([photo], mode)
    assert strip.input_height == (LONG_SIDE if mode == "pad" else PATCH)
    assert strip.grid_shape == (rows, 518)
    assert strip.top == strip.input_height - strip.top - rows, "white is the same above and below"
    if mode == "whole":
        (upright,) = frame_photos([photo[::-1]], mode)
        assert (upright.grid_shape, input_size(upright)) == ((518, rows), (PATCH, 518))


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.floats(1.0, 3.0), min_size=1, max_size=5), st.integers(20, 4000), LONG_SIDES)
def test_whole_is_crop_where_crop_cuts_nothing(aspects: list[float], height: int, long_side: int) -> None:
    sizes = [(round(height * aspect), height) for aspect in aspects]
    assert frame_photos(sizes, "whole", long_side=long_side) == frame_photos(sizes, "crop", long_side=long_side)


@settings(derandomize=True, max_examples=300)
@given(SIZES, st.sampled_from(MODES), LONG_SIDES)
def test_every_photo_is_framed(sizes: list[tuple[int, int]], mode: Mode, long_side: int) -> None:
    framings = frame_photos(sizes, mode, long_side=long_side)
    assert len({input_size(framing) for framing in framings}) == 1
    for framing, (width, height) in zip(framings, sizes, strict=True):
        assert (framing.photo_width, framing.photo_height) == (width, height)
        assert framing.input_width % PATCH == framing.input_height % PATCH == 0
        assert PATCH <= framing.input_width <= long_side and PATCH <= framing.input_height <= long_side
        rows, columns = framing.content
        assert 0 <= rows.start < rows.stop <= framing.input_height
        assert 0 <= columns.start < columns.stop <= framing.input_width
        assert (rows.stop - rows.start, columns.stop - columns.start) == framing.grid_shape
        # The photo's corners (in "crop": what is shown of its height) are the content's corners.
        corners = np.array([[columns.start, rows.start, 1], [columns.stop, rows.stop, 1]]) @ framing.photo_from_input.T
        cut = framing.cut_above * height / framing.resized_height
        below = (framing.resized_height - framing.rows - framing.cut_above) * height / framing.resized_height
        np.testing.assert_allclose(corners, [[0, cut, 1], [width, height - below, 1]], rtol=0, atol=1e-8)
        assert mode == "crop" or framing.rows == framing.resized_height, "no pixel is lost"
        # The input's middle is the photo's, to which the network's optical axis points.
        middle = framing.photo_from_input @ [framing.input_width / 2, framing.input_height / 2, 1]
        np.testing.assert_allclose(middle, [width / 2, height / 2, 1], rtol=0, atol=1e-8)
        first = framing.photo_from_grid @ [0.5, 0.5, 1]
        np.testing.assert_allclose(first, framing.photo_from_input @ [columns.start + 0.5, rows.start + 0.5, 1])


@settings(derandomize=True, max_examples=200)
@given(st.floats(1.0, 3.0), SIDE)
def test_rounding_to_patches_stretches_little(aspect: float, height: int) -> None:
    framing = frame_photos([(round(height * aspect), height)])[0]
    across, down = framing.photo_from_input[0, 0], framing.photo_from_input[1, 1]
    assert abs(across / down - 1) <= 7 / (518 / 3.05 - 7), "half a patch of at least 12"


def test_what_makes_no_sense_is_refused() -> None:
    assert frame_photos([]) == []
    for bad in (0, 7, 500, -14):
        with pytest.raises(ValueError, match="long side"):
            frame_photos([(900, 600)], long_side=bad)
    with pytest.raises(ValueError, match="without pixels"):
        frame_photos([(900, 0)])
    with pytest.raises(ValueError, match="the mode"):
        frame_photos([(900, 600)], "square")  # type: ignore[arg-type]
