"""How photos lie in DUSt3R's input: whole, in its middle, as large as the network was trained at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vggt_addon.engines.dust3r.framing import PATCH, frame_photo, input_long_side, pixel_shape
from vggt_addon.errors import EngineError


@pytest.mark.parametrize(
    ("photo", "shown", "size"),
    [
        ((4000, 3000), (512, 384), (512, 384)),
        ((3000, 4000), (384, 512), (384, 512)),
        ((6000, 4000), (512, 342), (512, 352)),
        ((1920, 1080), (512, 288), (512, 288)),
        ((1000, 1000), (384, 384), (512, 384)),
        ((1100, 1000), (422, 384), (512, 384)),
        ((100, 75), (512, 384), (512, 384)),
        ((9000, 20), (512, 2), (512, 16)),
    ],
)
def test_photos_of_many_shapes(photo: tuple[int, int], shown: tuple[int, int], size: tuple[int, int]) -> None:
    framing = frame_photo(*photo)
    assert (framing.resized_width, framing.rows) == shown
    assert (framing.input_width, framing.input_height) == size


@given(st.integers(20, 9000), st.integers(20, 9000), st.sampled_from([128, 176, 512, 1024]))
def test_every_photo_is_whole_in_the_middle_and_nearly_square_in_its_pixels(
    width: int, height: int, long_side: int
) -> None:
    framing = frame_photo(width, height, long_side)
    assert max(framing.input_width, framing.input_height) == long_side
    assert framing.input_width % PATCH == framing.input_height % PATCH == 0
    assert framing.input_width * 3 >= framing.input_height * 4 or framing.input_height * 3 >= framing.input_width * 4
    assert 2 * framing.left + framing.resized_width == framing.input_width
    assert 2 * framing.top + framing.rows == framing.input_height
    assert framing.rows == framing.resized_height and framing.cut_above == 0
    middle = framing.photo_from_input @ [framing.input_width / 2, framing.input_height / 2, 1]
    assert middle[0] == pytest.approx(width / 2) and middle[1] == pytest.approx(height / 2)
    if max(width, height) < 4 * min(width, height):
        wide, high = pixel_shape(framing)
        aspect = wide / high
        assert wide * high == pytest.approx(1)
        assert abs(aspect - 1) < 1.2 / min(framing.resized_width, framing.rows)


def test_what_is_asked_becomes_the_multiple_below() -> None:
    assert input_long_side(518, "whole") == 512 and input_long_side(400, "whole") == 400
    for asked, framing in ((100, "whole"), (1100, "whole"), (512, "pad")):
        with pytest.raises(EngineError, match="DUSt3R"):
            input_long_side(asked, framing)
    with pytest.raises(ValueError, match="without pixels"):
        frame_photo(0, 10)
