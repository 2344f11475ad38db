"""Between cameras and depth: the pictures, which are made side by side."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.engines.sfm import engine
from vggt_addon.engines.sfm.cameras import PlacedPhoto, PlacedPhotos
from vggt_addon.errors import EngineError
from vggt_addon.photos.read import probe
from vggt_addon.progress import never, no_progress
from vggt_addon.reconstruction import LeftOut, Lens, SolveReport
from vggt_addon.settings import EngineSettings

SETTINGS = EngineSettings(depth_size=48, threads=2)
SHADES = {"a.png": (200, 40, 40), "a.png.jpg": (40, 40, 200), "b.png": (40, 200, 40)}


@pytest.fixture
def cameras(tmp_path: Path) -> PlacedPhotos:
    """Three photos of one colour each, two of which have copies of the same name."""
    exif = Image.Exif()
    exif[0x0112] = 3  # so that none can be shown as it is
    placed = []
    for name, shade in SHADES.items():
        Image.new("RGB", (96, 64), shade).save(tmp_path / name, exif=exif)
        lens = Lens("SIMPLE_PINHOLE", (90.0, 48.0, 32.0), 0.0)
        intrinsics = np.array([[90.0, 0, 48], [0, 90.0, 32], [0, 0, 1]])
        photo = probe(tmp_path / name)
        placed.append(PlacedPhoto(photo, intrinsics, np.eye(4), 0.0, lens, SolveReport(), np.zeros(0, np.int64)))
    return PlacedPhotos(tuple(placed), (LeftOut("c.png", "It shows something else."),), np.zeros((0, 3)), (), {})


def test_copies_whose_names_would_be_equal_stay_apart(cameras: PlacedPhotos, tmp_path: Path) -> None:
    same, pictures = engine._pictures(cameras, SETTINGS, tmp_path / "photos", no_progress, never)
    assert same == cameras
    assert [made.path.name for made in pictures] == ["a.png.jpg", "a.png.jpg", "b.png.jpg"]
    for made, channel in zip(pictures, (0, 2, 1), strict=True):
        with Image.open(made.path) as image:
            assert np.asarray(image)[0, 0].argmax() == channel
        assert made.color[0, 0].argmax() == channel


def test_a_photo_that_went_away_during_the_solve_is_left_out(cameras: PlacedPhotos, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    steps: list[float] = []
    left, pictures = engine._pictures(
        cameras, SETTINGS, tmp_path / "photos", lambda stage, fraction: steps.append(fraction), never
    )
    assert [view.photo.name for view in left.placed] == ["a.png.jpg", "b.png"]
    assert [photo.name for photo in left.left_out] == ["c.png", "a.png"]
    assert "does not exist any more" in left.left_out[1].reason
    assert [int(made.color[0, 0].argmax()) for made in pictures] == [2, 1]
    assert steps[-1] == 1.0
    (tmp_path / "b.png").write_bytes(b"something else")
    with pytest.raises(EngineError, match=r"Too few photos are left.*a\.png does not exist any more.*b\.png"):
        engine._pictures(cameras, SETTINGS, tmp_path / "photos", no_progress, never)
