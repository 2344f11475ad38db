"""Working copies: square pixels, upright, grouped by lens and size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.engines.sfm.working_copies import mask_folder, plan_copies, write_copies
from vggt_addon.errors import UnreadablePhotosError
from vggt_addon.photos.masks import with_mask
from vggt_addon.photos.photo import FocalPrior, Photo
from vggt_addon.photos.read import probe
from vggt_addon.progress import never, no_progress


def photo(name: str, width: int, height: int, lens: str = "", prior: float | None = None) -> Photo:
    focal = FocalPrior(prior, "exif 35 mm equivalent") if prior else None
    return Photo(Path("/nowhere") / name, name, name, width, height, 1, focal, lens, True)


def test_one_folder_per_lens_and_size() -> None:
    photos = [
        photo("a.jpg", 1600, 1067, "A 40 mm", 1500.0),
        photo("b.jpg", 1067, 1600, "A 40 mm", 1500.0),
        photo("c.jpg", 1600, 1067, "A 40 mm", 1500.0),
        photo("d.jpg", 1600, 1067, "A 50 mm", 1900.0),
        photo("e.jpg", 640, 480),
    ]
    folders = plan_copies(photos, 1000)
    assert [[copy.photo for copy in folder.copies] for folder in folders] == [[0, 2], [1], [3], [4]]
    assert folders[0].prior is not None
    assert np.isclose(folders[0].prior, 1500.0 / 1.6)
    assert folders[3].prior is None
    assert folders[3].copies[0].raster.scale == 1.0, "a small photo is not blown up"


def test_copies_are_upright_and_unstretched(tmp_path: Path) -> None:
    """A dot at a known upright place of a turned, odd-sized photo is found at its place in the copy."""
    stored = np.zeros((1003, 1501, 3), np.uint8)
    stored[200:220, 1200:1220] = 255  # upright (orientation 6, a quarter turn clockwise): x = 1003 - y, y = x
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    turned = probe(tmp_path / "turned.png")
    assert (turned.width, turned.height) == (1003, 1501)
    folders = plan_copies([turned], 500)
    write_copies([turned], folders, tmp_path / "copies", 1, no_progress, never)
    raster = folders[0].copies[0].raster
    with Image.open(tmp_path / "copies" / folders[0].copies[0].name) as image:
        copy = np.asarray(image, float)
    assert copy.shape == (raster.height, raster.width) == (500, 334)
    rows, columns = np.mgrid[: raster.height, : raster.width] + 0.5
    found = np.array([(copy * columns).sum(), (copy * rows).sum()]) / copy.sum()
    in_photo = raster.photo_from_raster @ (*found, 1.0)
    assert np.allclose(in_photo[:2], (1003 - 210, 1210), atol=0.1)


def test_masks_lie_where_colmap_looks_for_them(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[::-1]).save(tmp_path / "b.png")
    drawn = np.zeros((300, 400), np.uint8)
    drawn[:, :100] = 255
    Image.fromarray(drawn).save(tmp_path / "a.mask.png")
    photos = [with_mask(probe(tmp_path / name)) for name in ("a.png", "b.png")]
    folders = plan_copies(photos, 200)
    write_copies(photos, folders, tmp_path / "copies", 1, no_progress, never)
    masks = mask_folder(tmp_path / "copies")
    half, whole = (masks / f"{copy.name}.png" for copy in folders[0].copies)
    with Image.open(half) as image:
        shown = np.asarray(image.convert("L"))
    assert shown.shape == (150, 200)
    assert (shown[:, :50] == 255).all() and (shown[:, 50:] == 0).all()
    with Image.open(whole) as image:
        assert image.size == (200, 150) and image.convert("L").getextrema() == (255, 255)
    write_copies(photos[1:], plan_copies(photos[1:], 200), tmp_path / "none", 1, no_progress, never)
    assert not mask_folder(tmp_path / "none").exists()


def test_a_damaged_mask_leaves_its_photo_out_by_the_masks_name(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "gray").save(tmp_path / "a.png")
    noise = np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.mask.png")
    photo = with_mask(probe(tmp_path / "a.png"))
    (tmp_path / "a.mask.png").write_bytes((tmp_path / "a.mask.png").read_bytes()[:9000])
    with pytest.raises(UnreadablePhotosError) as caught:
        write_copies([photo], plan_copies([photo], 200), tmp_path / "copies", 1, no_progress, never)
    assert caught.value.reasons["a.png"].startswith("a.mask.png is damaged")
