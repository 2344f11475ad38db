"""The picture that Blender will show."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.engines.sfm.cameras import PlacedPhoto
from vggt_addon.engines.sfm.pictures import make_picture
from vggt_addon.engines.sfm.undistort import corner_displacement, distorted
from vggt_addon.geometry.raster import fit_raster
from vggt_addon.photos.masks import with_mask
from vggt_addon.photos.read import probe
from vggt_addon.reconstruction import Lens, SolveReport


def place(path: Path, distortion: float = 0.0) -> PlacedPhoto:
    photo = with_mask(probe(path))
    focal = 0.9 * photo.long_side
    intrinsics = np.array([[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]])
    moved = corner_displacement(photo.width, photo.height, intrinsics, distortion)
    parameters = (focal, photo.width / 2, photo.height / 2, distortion)
    lens = Lens("SIMPLE_RADIAL", parameters, moved)
    return PlacedPhoto(photo, intrinsics, np.eye(4), distortion, lens, SolveReport(), np.zeros(0, np.int64))


@pytest.fixture
def patches() -> NDArray[np.uint8]:
    """600 x 400, patches of 50 px of one colour each."""
    colors = np.random.default_rng(0).integers(20, 235, (8, 12, 3), np.uint8)
    return colors.repeat(50, axis=0).repeat(50, axis=1)


def test_a_good_file_is_named_not_copied(patches: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(patches).save(tmp_path / "a.png")
    view = place(tmp_path / "a.png", distortion=1e-5)
    made = make_picture(view, fit_raster(600, 400, 120), tmp_path / "photos")
    path, color = made.path, made.color
    assert path == tmp_path / "a.png"
    assert not (tmp_path / "photos").exists()
    assert color.shape == (80, 120, 3)
    assert np.array_equal(color[5::10, 5::10], patches[25::50, 25::50]), "a patch of one colour keeps that colour"


def test_a_turned_photo_gets_an_upright_copy(patches: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(patches))).save(tmp_path / "a.png", exif=exif)
    made = make_picture(place(tmp_path / "a.png"), fit_raster(600, 400, 120), tmp_path / "photos")
    path, color = made.path, made.color
    assert path == tmp_path / "photos" / "a.png.jpg"
    with Image.open(path) as image:
        assert image.size == (600, 400)
        assert image.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(image).astype(int) - patches).mean() < 2
    assert np.abs(color[5::10, 5::10].astype(int) - patches[25::50, 25::50]).max() <= 1


def test_a_photo_longer_than_allowed_gets_a_smaller_copy(patches: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(patches).save(tmp_path / "a.png")
    view = place(tmp_path / "a.png")
    made = make_picture(view, fit_raster(600, 400, 120), tmp_path / "photos", 300)
    path, color = made.path, made.color
    with Image.open(path) as image:
        assert image.size == (300, 200)
        assert np.abs(np.asarray(image)[12::25, 12::25].astype(int) - patches[25::50, 25::50]).max() <= 2
    assert np.array_equal(color[5::10, 5::10], patches[25::50, 25::50]), "the grid's colours are of the whole photo"
    assert make_picture(view, fit_raster(600, 400, 120), tmp_path / "more", 600).path == tmp_path / "a.png"


def test_a_bent_photo_is_straightened_at_its_size(tmp_path: Path) -> None:
    """A dot goes to where a lens without distortion would have put it, in the copy and on the grid."""
    view_size, distortion = (600, 400), -0.1
    Image.new("RGB", view_size).save(tmp_path / "empty.png")
    intrinsics = place(tmp_path / "empty.png").intrinsics
    ideal = np.array([[500.0, 320.0]])
    (x, y), *_ = distorted(ideal, intrinsics, distortion)
    columns, rows = np.meshgrid(np.arange(600) + 0.5, np.arange(400) + 0.5)
    dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50) * 255
    Image.fromarray(dot.astype(np.uint8)).convert("RGB").save(tmp_path / "bent.png")
    made = make_picture(place(tmp_path / "bent.png", distortion), fit_raster(600, 400, 300), tmp_path / "photos")
    path, color = made.path, made.color
    with Image.open(path) as image:
        assert image.size == view_size
        straight = np.asarray(image)[..., 0].astype(float)
    straight[straight < 8] = 0
    found = np.array([(straight * columns).sum(), (straight * rows).sum()]) / straight.sum()
    assert np.linalg.norm(found - ideal[0]) < 0.2
    grid = color[..., 0].astype(float)
    on_grid = np.array([(grid * columns[:200, :300]).sum(), (grid * rows[:200, :300]).sum()]) / grid.sum()
    assert np.linalg.norm(2 * on_grid - ideal[0]) < 0.5


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "\u6f22" * 83 + ".jpg"])
def test_a_name_as_long_as_a_name_may_be(patches: NDArray[np.uint8], tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(patches).save(tmp_path / name, exif=exif)
    path = make_picture(place(tmp_path / name), fit_raster(600, 400, 120), tmp_path / "photos").path
    assert path.is_file() and path.suffix == ".jpg"


@pytest.mark.parametrize("distortion", [0.0, -0.2])
def test_the_mask_is_straightened_with_the_photo(tmp_path: Path, distortion: float) -> None:
    """A red square on green, and a mask drawn around it: what the mask shows on the grid is what is red there."""
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[..., 1] = 255
    pixels[20:120, 440:580] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "a.mask.png")
    made = make_picture(place(tmp_path / "a.png", distortion), fit_raster(600, 400, 300), tmp_path / "photos")
    assert made.mask is not None and made.mask.shape == made.color.shape[:2]
    red = made.color[..., 0] > made.color[..., 1]
    assert (made.mask != red).mean() < 0.001
    assert made.mask.any() and red.any()
