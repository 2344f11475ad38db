"""Between cameras and depth: the pictures, which are made side by side."""

from pathlib import Path

import numpy as np
from PIL import Image

from vggt_addon.engines.sfm import engine
from vggt_addon.engines.sfm.cameras import PlacedPhoto
from vggt_addon.geometry.raster import fit_raster
from vggt_addon.photos.read import probe
from vggt_addon.progress import never, no_progress
from vggt_addon.reconstruction import Lens, SolveReport


def test_copies_whose_names_would_be_equal_stay_apart(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # so that neither can be shown as it is
    placed = []
    for name, shade in (("a.png", (200, 40, 40)), ("a.png.jpg", (40, 40, 200))):
        Image.new("RGB", (96, 64), shade).save(tmp_path / name, exif=exif)
        lens = Lens("SIMPLE_PINHOLE", (90.0, 48.0, 32.0), 0.0)
        intrinsics = np.array([[90.0, 0, 48], [0, 90.0, 32], [0, 0, 1]])
        photo = probe(tmp_path / name)
        placed.append(PlacedPhoto(photo, intrinsics, np.eye(4), 0.0, lens, SolveReport(), np.zeros(0, np.int64)))
    rasters = [fit_raster(96, 64, 48)] * 2
    pictures = engine._pictures(placed, rasters, tmp_path / "photos", 2, no_progress, never)
    assert [path.name for path, _ in pictures] == ["a.png.jpg", "a.png.jpg"]
    for (path, color), channel in zip(pictures, (0, 2), strict=True):
        with Image.open(path) as image:
            assert np.asarray(image)[0, 0].argmax() == channel
        assert color[0, 0].argmax() == channel
