"""From photo files to the network's input: the published values, known patterns found where the map says, loading."""

import json
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vggt_addon.engines.vggt import preprocess
from vggt_addon.engines.vggt.framing import Framing, Mode, frame_photos
from vggt_addon.engines.vggt.preprocess import grid_colors, load_inputs, render
from vggt_addon.errors import Cancelled, PhotoError
from vggt_addon.photos import strips
from vggt_addon.photos.masks import with_mask
from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import probe

FOLDER = "reference/vggt/preprocess"
Pixels = NDArray[np.uint8]
Find = Callable[[str], Path]


@pytest.fixture(scope="session")
def expected(shared: Find) -> dict[tuple[tuple[str, ...], str], dict[str, Any]]:
    cases = json.loads(shared(f"{FOLDER}/expected.json").read_text(encoding="utf-8"))["cases"]
    return {(tuple(case["files"]), case["mode"]): case for case in cases}


def as_published(path: Path) -> Pixels:
    """The file as the published loader decodes it: not turned, palettes opaque, 16 bit clipped. RGBA stays."""
    with Image.open(path) as image:
        return np.asarray(image if image.mode == "RGBA" else image.convert("RGB"), np.uint8)


def sizes(pictures: list[Pixels]) -> list[tuple[int, int]]:
    return [(picture.shape[1], picture.shape[0]) for picture in pictures]


def assert_equal_to(images: Pixels, case: dict[str, Any]) -> None:
    """Every sample, corner, mean and spread of one case of expected.json."""
    assert list(images.transpose(0, 3, 1, 2).shape) == case["shape"]
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(corners, case["corners_255"])
    samples = np.array(case["samples_frame_channel_y_x_value255"])
    frame, channel, row, column = samples[:, :4].astype(int).T
    np.testing.assert_array_equal(images[frame, row, column, channel], samples[:, 4])
    np.testing.assert_allclose(images.mean(axis=(1, 2)), case["mean_255"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(images.std(axis=(1, 2)), case["std_255"], rtol=0, atol=1e-3)


def test_published_modes_give_the_published_values(shared: Find, expected: dict[Any, Any]) -> None:
    assert len(expected) == 34
    for (names, mode), case in expected.items():
        pictures = [as_published(shared(f"{FOLDER}/{name}")) for name in names]
        framings = frame_photos(sizes(pictures), mode)
        images = [render(picture, framing) for picture, framing in zip(pictures, framings, strict=True)]
        assert_equal_to(np.stack(images), case)


@pytest.mark.parametrize("mode", ["crop", "pad"])
@pytest.mark.parametrize("name", ["alpha.png", "fourthree.jpg", "half_even_35.png", "tiny.png", "exif6.jpg"])
def test_our_loader_gives_the_published_values_where_those_are_right(
    shared: Find, expected: dict[Any, Any], name: str, mode: Mode
) -> None:
    """exif6.jpg is to be what its upright copy is, within what saving that copy cost (nothing: it is a PNG)."""
    photo = probe(shared(f"{FOLDER}/{name}"))
    loaded = load_inputs([photo], frame_photos([(photo.width, photo.height)], mode))
    assert_equal_to(loaded.images, expected[(name.replace("exif6.jpg", "exif6_upright.png"),), mode])


@pytest.mark.parametrize(("name", "published_mode"), [("palette.png", "P"), ("gray_alpha.png", "LA")])
def test_transparency_is_laid_on_white(shared: Find, expected: dict[Any, Any], name: str, published_mode: str) -> None:
    path = shared(f"{FOLDER}/{name}")
    with Image.open(path) as image:
        assert image.mode == published_mode
        rgba = np.asarray(image.convert("RGBA")).astype(float)
    opacity = rgba[..., 3:] / 255
    on_white = np.rint(rgba[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    assert opacity.min() < 0.5, "the file has transparent parts"
    photo = probe(path)
    framings = frame_photos([(photo.width, photo.height)], "pad")
    image = load_inputs([photo], framings).images[0]
    assert np.abs(image.astype(int) - render(on_white, framings[0])).max() <= 1
    wrong = expected[(name,), "pad"]
    assert abs(image.mean(axis=(0, 1)) - wrong["mean_255"][0]).max() > 1, "the published loader loses it"


@pytest.mark.parametrize("mode", ["crop", "pad"])
def test_what_a_mask_leaves_out_is_white_and_masked(tmp_path: Path, mode: Mode) -> None:
    """As if it had been cut out of the photo itself."""
    pixels = np.random.default_rng(0).integers(0, 200, (300, 420, 3), np.uint8)
    drawn = np.zeros((300, 420), np.uint8)
    drawn[40:200, 100:380] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(drawn).save(tmp_path / "a.mask.png")
    Image.fromarray(np.dstack([pixels, drawn])).save(tmp_path / "b.png")
    beside, cut_out = with_mask(probe(tmp_path / "a.png")), with_mask(probe(tmp_path / "b.png"))
    assert beside.mask is not None and cut_out.mask is None
    loaded = load_inputs([beside, cut_out], frame_photos([(420, 300)] * 2, mode))
    np.testing.assert_array_equal(loaded.images[0], loaded.images[1])
    np.testing.assert_array_equal(loaded.colors[0], loaded.colors[1])
    for mask, color in zip(loaded.masks, loaded.colors, strict=True):
        assert mask is not None and 0.3 < mask.mean() < 0.45
        assert (color[mask].min(axis=-1) < 220).mean() > 0.98 and (color[~mask].min(axis=-1) > 220).mean() > 0.98


def test_sixteen_bit_is_scaled_not_clipped(shared: Find) -> None:
    path = shared(f"{FOLDER}/gray16.png")
    with Image.open(path) as image:
        eight_bit = np.rint(np.asarray(image, np.float64) / 257).astype(np.uint8)
    photo = probe(path)
    framings = frame_photos([(photo.width, photo.height)])
    image = load_inputs([photo], framings).images[0]
    assert np.ptp(eight_bit) > 100, "the file is a picture, which clipping makes white"
    assert np.abs(image.astype(int) - render(eight_bit[..., None].repeat(3, 2), framings[0])).max() <= 1


# --- where patterns of known position come to lie


@dataclass(frozen=True)
class Wave:
    """A cosine with a crest at position 0: for photos that become smaller."""

    period: float  # photo pixels

    def levels(self, length: int) -> NDArray[np.float64]:
        return np.asarray(np.rint(128 + 120 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / self.period)))

    def displacement(self, line: NDArray[np.float64], positions: NDArray[np.float64]) -> float:
        """How far what is sampled in `line` stands beyond where `positions` (photo pixels) say."""
        angle = 2 * np.pi * positions / self.period
        design = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
        (_, cosine, sine), residual, *_ = np.linalg.lstsq(design, line, rcond=None)
        assert residual / len(line) < 20, "the pattern is what is sampled"
        return float(np.arctan2(sine, cosine) * self.period / (2 * np.pi))


@dataclass(frozen=True)
class Ramp:
    """A straight rise of whole levels from pixel to pixel, which cubic interpolation keeps: for photos that grow."""

    step: int  # levels per photo pixel

    def levels(self, length: int) -> NDArray[np.float64]:
        return self.step * np.arange(length, dtype=np.float64)

    def displacement(self, line: NDArray[np.float64], positions: NDArray[np.float64]) -> float:
        return float((positions - (line / self.step + 0.5)).mean())


def pattern(length: int, ratio: float) -> Wave | Ramp:
    """What shows positions best in a photo of `length` pixels, `ratio` of which make one of the input's."""
    return Ramp(255 // (length - 1)) if ratio < 1 else Wave(24 * ratio)


PATTERNS = [
    *((width, height) for width, height in [(20, 20), (20, 60), (60, 20), (26, 37), (37, 26), (64, 48)]),
    *((width, height) for width, height in [(900, 600), (601, 899), (1920, 640), (1080, 1920), (4000, 3000)]),
    *((width, height) for width, height in [(12_000, 4000), (3999, 11_997), (9000, 12_000)]),
]


@pytest.mark.parametrize("mode", ["whole", "crop", "pad"])
@pytest.mark.parametrize("size", PATTERNS, ids=lambda size: f"{size[0]}x{size[1]}")
def test_patterns_lie_where_the_map_says(size: tuple[int, int], mode: Mode) -> None:
    """A pattern along x in red, along y in green, framed with the others of a mixed set, and looked for at both ends
    and in the middle of the input: a wrong scale, shift or half pixel moves one of them.

    0.01 px of the photo is asked, which for all photos but those that grow is still less of the input. In these, whole
    levels of 8 bit show a place to some 0.03 px of the input, and 0.05 is asked; half a pixel is what goes wrong.
    """
    width, height = size
    framing = frame_photos([size, (900, 600), (600, 700)], mode)[0]
    back = framing.photo_from_input
    along = [pattern(width, back[0, 0]), pattern(height, back[1, 1])]
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = along[0].levels(width)
    picture[..., 1] = along[1].levels(height)[:, None]
    image = render(picture, framing)
    # The negative has the same pattern, and rounding half levels up moves it the other way.
    levels = (image[framing.content] - render(np.invert(picture), framing)[framing.content].astype(float) + 255) / 2
    assert levels[..., 2].max() == 0, "the content is nothing but photo"
    outside = np.ones(image.shape[:2], bool)
    outside[framing.content] = False
    assert (image[outside] == 255).all(), "the rest is white"
    for axis, part in enumerate(reversed(framing.content)):
        ratio = back[axis, axis]
        clear = int(np.ceil(3 * max(1, 1 / ratio)))  # at the edges, resampling lacks what lies beyond the photo
        line = levels[..., axis].mean(axis=axis)[clear:-clear]
        positions = ratio * (np.arange(part.start, part.stop)[clear:-clear] + 0.5) + back[axis, 2]
        for third in np.array_split(np.arange(len(line)), 3):
            off = along[axis].displacement(line[third], positions[third])
            assert abs(off) < min(0.01, 0.05 * ratio), f"axis {axis}: {off:.4f} px of the photo"


# --- strips, memory, colours


def noise(height: int, width: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("size", [(301, 203), (203, 301), (30, 20), (20, 70)])
@pytest.mark.parametrize("mode", ["whole", "crop"])
def test_strips_give_what_pillow_gives_at_once(
    size: tuple[int, int], mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    framing = frame_photos([size], mode)[0]
    picture = noise(size[1], size[0], 4)
    white = Image.new("RGBA", size, "white")
    at_once = Image.alpha_composite(white, Image.fromarray(picture)).convert("RGB")
    resized = np.asarray(
        at_once.resize((framing.resized_width, framing.resized_height), Image.Resampling.BICUBIC), np.uint8
    )
    monkeypatch.setattr(preprocess, "_STRIP_PIXELS", 3000)
    shown = render(picture, framing)[framing.content]
    np.testing.assert_array_equal(shown, resized[framing.cut_above :][: framing.rows])


def test_a_large_photo_needs_little_beside_itself() -> None:
    """Pillow's own copy of this picture alone would be 192 MB. Its memory is not traced, so the strips are bounded here
    by what numpy holds: the rows at the input's width, and one strip before it becomes Pillow's."""
    picture = np.broadcast_to(np.arange(256, dtype=np.uint8).repeat(48)[:8000, None], (6000, 8000, 3))
    framing = frame_photos([(8000, 6000)])[0]
    tracemalloc.start()
    render(picture, framing)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    narrow, strip = 6000 * 518 * 3, preprocess._STRIP_PIXELS * 3
    assert peak < narrow + 3 * strip < 144_000_000 / 2


def test_grid_colors_are_plain_averages_of_what_the_grid_pixel_covers() -> None:
    picture = np.zeros((1000, 2000, 3), np.uint8)
    picture[:, 1000:] = (200, 100, 50)
    framing = frame_photos([(2000, 1000), (600, 600)])[0]
    colors = grid_colors(picture, framing)
    assert colors.shape == (*framing.grid_shape, 3)
    assert {tuple(color) for color in colors.reshape(-1, 3).tolist()} == {(0, 0, 0), (200, 100, 50)}, "nothing rings"
    assert (colors[:, 259:] == (200, 100, 50)).all() and not colors[:, :259].any()


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="for a 60 x 40 photo"):
        render(noise(60, 40), frame_photos([(60, 40)])[0])


# --- loading


def save_turned(path: Path, upright: Pixels, orientation: int) -> Photo:
    """`upright` as a camera held otherwise stores it: Pillow's own reader of EXIF turns it back."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Image.Transpose: 2, 4 a quarter turn
    stored = Image.fromarray(upright)
    (stored if undo is None else stored.transpose(Image.Transpose(undo))).save(path, exif=exif, compression="tiff_lzw")
    if path.suffix != ".tif":  # which that reader turns twice
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), upright)
    return probe(path)


def test_every_orientation_loads_upright_with_its_transparency(tmp_path: Path) -> None:
    upright = noise(90, 120, 4)
    photos = [save_turned(tmp_path / f"{turn}.png", upright, turn) for turn in range(1, 9)]
    photos += [save_turned(tmp_path / "6.tif", upright, 6)]
    framings = frame_photos([(photo.width, photo.height) for photo in photos])
    assert set(framings) == {frame_photos([(120, 90)])[0]}
    expected = render(upright, framings[0]).astype(int)
    loaded = load_inputs(photos, framings)
    assert loaded.images.shape == (9, 392, 518, 3)
    for image, colors in zip(loaded.images, loaded.colors, strict=True):
        assert np.abs(image - expected).max() <= 2
        assert np.abs(colors - grid_colors(upright, framings[0]).astype(int)).max() <= 2


@pytest.fixture
def mixed(tmp_path: Path) -> list[Photo]:
    photos = []
    for number, (width, height) in enumerate([(90, 60), (60, 90), (64, 48), (300, 100)]):
        Image.fromarray(noise(height, width)).save(tmp_path / f"{number}.png")
        photos.append(probe(tmp_path / f"{number}.png"))
    return photos


def frame(photos: list[Photo]) -> list[Framing]:
    return frame_photos([(photo.width, photo.height) for photo in photos])


def test_loading_does_not_depend_on_threads_and_tells_how_far_it_is(
    mixed: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    many = load_inputs(mixed, frame(mixed), lambda stage, done: told.append(done), at_once=4)
    assert told == [0.25, 0.5, 0.75, 1.0]
    monkeypatch.setattr(strips, "PIXELS_AT_ONCE", 1)  # photos as large as memory: one after the other
    names: set[str] = set()
    render_once = preprocess.render

    def noted(picture: Pixels, framing: Framing) -> Pixels:
        names.add(threading.current_thread().name)
        return render_once(picture, framing)

    monkeypatch.setattr(preprocess, "render", noted)
    one = load_inputs(mixed, frame(mixed), at_once=4)
    assert len(names) == 1
    np.testing.assert_array_equal(many.images, one.images)
    assert [color.shape[:2] for color in one.colors] == [framing.grid_shape for framing in frame(mixed)]


@pytest.mark.parametrize("at_once", [1, 2])
def test_loading_stops_when_asked(mixed: list[Photo], at_once: int) -> None:
    told: list[float] = []
    with pytest.raises(Cancelled):
        load_inputs(
            mixed * 10,
            frame(mixed * 10),
            lambda stage, done: told.append(done),
            lambda: len(told) >= 3,
            at_once,
        )
    assert 3 <= len(told) <= 3 + 2 * at_once, "what is being read is finished, and nothing is begun"


def test_a_photo_that_changed_is_told_by_name(mixed: list[Photo]) -> None:
    framings = frame(mixed)
    Image.fromarray(noise(30, 45)).save(mixed[0].path)  # of the same aspect, smaller
    with pytest.raises(PhotoError, match=r"0\.png has changed"):
        load_inputs(mixed, framings)
    with pytest.raises(ValueError, match="4 photos with 3 framings"):
        load_inputs(mixed, framings[1:])
