"""Which masks are found, and what they leave of a photo."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.errors import PhotoError
from vggt_addon.photos.files import find_each, find_photos
from vggt_addon.photos.gather import gather
from vggt_addon.photos.masks import USED, mask, mask_in, on_white, unused_masks, with_mask
from vggt_addon.photos.read import probe


def noise(path: Path, size: tuple[int, int] = (60, 40), seed: int = 0, exif: Image.Exif | None = None) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    width, height = size
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)).save(
        path, exif=exif or Image.Exif()
    )
    return path


def left_half(size: tuple[int, int] = (60, 40)) -> NDArray[np.uint8]:
    """White on the left, black on the right."""
    width, height = size
    drawn = np.zeros((height, width), np.uint8)
    drawn[:, : width // 2] = 255
    return drawn


def draw(path: Path, pixels: NDArray[np.uint8] | None = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(left_half() if pixels is None else pixels).save(path)
    return path


PLACES = ["a.mask.png", "a.png.mask.png", "masks/a.png", "masks/a.png.png", "masks/a.mask.png", "masks/a.png.mask.png"]


@pytest.mark.parametrize("place", PLACES)
def test_a_mask_is_found_by_its_name_and_is_no_photo(tmp_path: Path, place: str) -> None:
    noise(tmp_path / "a.png")
    noise(tmp_path / "b.png", seed=1)
    drawn = draw(tmp_path / place)
    found = gather([tmp_path])
    assert [(photo.name, photo.mask) for photo in found.photos] == [("a.png", drawn), ("b.png", None)]
    assert not found.warnings and not found.left_out
    used = mask(found.photos[0])
    assert used is not None
    np.testing.assert_array_equal(used, left_half())
    assert mask(found.photos[1]) is None


def test_a_mask_chosen_together_with_its_photo_is_passed_over(tmp_path: Path) -> None:
    photo, drawn = noise(tmp_path / "a.png"), draw(tmp_path / "a.mask.png")
    assert find_photos([photo, drawn]) == [photo]
    assert find_each([photo, drawn]) == ([photo], {})
    draw(tmp_path / "masks" / "a.png")
    assert find_photos([str(tmp_path / "**" / "*.png")]) == [photo]
    with pytest.raises(PhotoError, match="No photos were found"):
        find_photos([drawn])


def test_masks_of_a_jpeg_may_be_jpegs_and_pictures_of_their_own_kind_in_the_masks_folder(tmp_path: Path) -> None:
    photo = probe(noise(tmp_path / "a.jpg"))
    drawn = draw(tmp_path / "masks" / "a.jpg")
    masked = with_mask(photo)
    assert masked.mask == drawn
    used = mask(masked)
    assert used is not None
    np.testing.assert_array_equal(used >= USED, left_half() >= USED)


def test_a_mask_that_belongs_to_no_photo_is_told(tmp_path: Path) -> None:
    photo = noise(tmp_path / "IMG_1.jpg")
    draw(tmp_path / "IMG_l.mask.png")
    draw(tmp_path / "masks" / "2.png")
    (told,) = gather([photo]).warnings
    assert told == "These masks belong to no photo: IMG_l.mask.png, 2.png. Name each like its photo."
    noise(tmp_path / "2.jpg")
    assert "2.png" not in unused_masks([photo])[0], "it belongs to a photo that is not chosen"


def test_smaller_masks_of_the_same_shape_are_enlarged(tmp_path: Path) -> None:
    photo = probe(noise(tmp_path / "a.png", (601, 400)))
    draw(tmp_path / "a.mask.png", left_half((60, 40)))
    used = mask(with_mask(photo))
    assert used is not None and used.shape == (400, 601)
    assert (used[:, :295] >= USED).all() and (used[:, 306:] < USED).all()


def test_a_mask_of_another_shape_is_named_and_the_photo_used_whole(tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    draw(tmp_path / "a.mask.png", left_half((60, 50)))
    found = gather([tmp_path])
    assert found.photos[0].mask is None
    (told,) = found.warnings
    assert told == (
        "a.png is used without its mask. a.mask.png has 60 x 50 pixels, its photo 60 x 40. Draw it on the photo."
    )


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_mask_that_cannot_be_read_is_named_and_the_photo_used_whole(tmp_path: Path, content: bytes) -> None:
    noise(tmp_path / "a.png")
    (tmp_path / "a.mask.png").write_bytes(content)
    found = gather([tmp_path])
    assert found.photos[0].mask is None
    assert found.warnings[0].startswith("a.png is used without its mask. a.mask.png ")


def test_a_mask_damaged_behind_its_header_leaves_the_photo_out_by_name(tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    drawn = noise(tmp_path / "a.mask.png", seed=3)
    drawn.write_bytes(drawn.read_bytes()[:500])
    with pytest.raises(PhotoError, match=r"^a\.mask\.png is damaged"):
        mask(gather([tmp_path]).photos[0])


def test_a_mask_that_leaves_nothing_is_an_error_and_one_that_leaves_all_is_none(tmp_path: Path) -> None:
    noise(tmp_path / "a.png")
    draw(tmp_path / "a.mask.png", np.zeros((40, 60), np.uint8))
    with pytest.raises(PhotoError, match=r"a\.mask\.png leaves nothing of a\.png: white is what is used"):
        mask(gather([tmp_path]).photos[0])
    draw(tmp_path / "a.mask.png", np.full((40, 60), 200, np.uint8))
    assert mask(gather([tmp_path]).photos[0]) is None


def test_masks_of_every_mode(tmp_path: Path) -> None:
    """As painting programs and labelling programs write them; each means the left half."""
    half = left_half()
    painted = np.dstack([np.full_like(half, 255)] * 3 + [half])
    kinds = {
        "grey": Image.fromarray(half),
        "one bit": Image.fromarray(half).convert("1"),
        "colour": Image.fromarray(np.dstack([half] * 3)),
        "palette": Image.fromarray(half).convert("P"),
        "white on nothing": Image.fromarray(painted),
        "labels": Image.fromarray(half // 255),
        "16 bit": Image.fromarray(half.astype(np.uint16) * 257),
    }
    noise(tmp_path / "a.jpg")
    for kind, picture in kinds.items():
        picture.save(tmp_path / "a.mask.png")
        used = mask(gather([tmp_path / "a.jpg"]).photos[0])
        assert used is not None, kind
        np.testing.assert_array_equal(used >= USED, half >= USED, err_msg=kind)


def test_a_turned_photos_mask_is_drawn_on_it_upright_or_as_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter turn clockwise
    noise(tmp_path / "a.jpg", (60, 40), exif=exif)
    upright = np.zeros((60, 40), np.uint8)
    upright[:20] = 255
    for drawn in (upright, np.rot90(upright)):  # turned back, as the file has it
        draw(tmp_path / "a.mask.png", np.ascontiguousarray(drawn))
        used = mask(gather([tmp_path / "a.jpg"]).photos[0])
        assert used is not None
        np.testing.assert_array_equal(used, upright)


def test_transparency_is_a_mask_and_adds_to_one(tmp_path: Path) -> None:
    pixels = np.full((40, 60, 4), 255, np.uint8)
    pixels[:20, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    alone = mask(probe(tmp_path / "a.png"))
    assert alone is not None and (alone[:20] == 0).all() and (alone[20:] == 255).all()
    draw(tmp_path / "a.mask.png")
    both = mask(with_mask(probe(tmp_path / "a.png")))
    assert both is not None
    np.testing.assert_array_equal(both, np.minimum(alone, left_half()))
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "b.png")
    with pytest.raises(PhotoError, match=r"b\.png is transparent all over"):
        mask(probe(tmp_path / "b.png"))


def test_a_large_plain_mask_is_no_bomb_but_a_small_photos_huge_mask_is(tmp_path: Path) -> None:
    """Nothing compresses like a mask: 24 megapixels of two colours are a few kilobytes."""
    Image.new("1", (6000, 4000), 1).save(tmp_path / "a.mask.png")
    assert (tmp_path / "a.mask.png").stat().st_size < 20_000
    photo = noise(tmp_path / "a.png", (80, 60))
    assert "claims 6000 x 4000 pixels" in gather([photo]).warnings[0]
    large = tmp_path / "b.jpg"
    Image.effect_noise((6000, 4000), 50).save(large, quality=5)
    (tmp_path / "a.mask.png").rename(tmp_path / "b.mask.png")
    assert with_mask(probe(large)).mask == tmp_path / "b.mask.png"


def test_a_mask_at_another_raster() -> None:
    used = left_half((60, 40))
    small = mask_in(used, (-0.5, 0.0, 60.5, 40.0), (6, 4))
    np.testing.assert_array_equal(small, np.repeat([[True] * 3 + [False] * 3], 4, axis=0))
    pixels = np.full((40, 60, 3), 7, np.uint8)
    white = on_white(pixels, used)
    assert (white[:, :30] == 7).all() and (white[:, 30:] == 255).all() and white.dtype == np.uint8


def test_a_mask_of_many_times_the_photos_pixels_is_refused(tmp_path: Path) -> None:
    """Memory is counted by photos: a small file of 25 megapixels beside each small photo would be beyond it."""
    noise(tmp_path / "a.png", (50, 50))
    Image.effect_noise((5000, 5000), 99).save(tmp_path / "a.mask.png", compress_level=1)
    (photo,) = gather([tmp_path]).photos
    assert photo.mask is None
    assert photo.remark == (
        "a.png is used without its mask. a.mask.png has 5000 x 5000 pixels, its photo 50 x 50. Draw it on the photo."
    )
    Image.effect_noise((4000, 4000), 99).save(tmp_path / "a.mask.png", compress_level=1)
    assert gather([tmp_path]).photos[0].mask is not None
