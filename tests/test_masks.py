"""Masks through the whole run: what stands in every photo at the same place spoils a solve, and a mask mends it.

Of the longer tests: about half a minute of two idle cores.
"""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vggt_addon.errors import UserError
from vggt_addon.pipeline import reconstruct
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import EngineSettings, RunSettings

EXAMPLE = Path(__file__).parent.parent / "examples" / "courtyard"
PHOTOS = sorted((EXAMPLE / "photos").iterdir())[3:7]
SETTINGS = RunSettings(
    engine="sfm", engine_settings=EngineSettings(depth_size=96, threads=2), point_budget=20_000
)  # cameras as ever, and little depth


def rig(size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The same in every photo, as a bonnet or a tripod's leg would be: its pixels, and where they are."""
    width, height = size
    rng = np.random.default_rng(8)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[:height, :width]
    where = rows / height + 0.35 * np.cos(3 * columns / width) > 0.62
    return pixels, where


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of the example's photos with the rig in each."""
    folder = tmp_path_factory.mktemp("rig")
    for photo in PHOTOS:
        with Image.open(photo) as image:
            upright = ImageOps.exif_transpose(image)
        pixels, where = rig(upright.size)
        shown = np.where(where[..., None], pixels, np.asarray(upright))
        Image.fromarray(shown).save(folder / photo.name, quality=95, exif=upright.getexif())
    return folder


def add_masks(folder: Path) -> None:
    """Drawn at half the photos' size; and one photo that needs none."""
    (folder / "masks").mkdir()
    shutil.copy(PHOTOS[-1], folder)
    for photo in PHOTOS[:-1]:
        with Image.open(folder / photo.name) as image:
            drawn = Image.fromarray(~rig(image.size)[1]).convert("L")
        drawn.resize((drawn.width // 2, drawn.height // 2)).save(folder / "masks" / f"{photo.stem}.png")


def pose_errors(capture: Reconstruction) -> NDArray[np.float64]:
    """Degrees, of every pair of views, against the example's true cameras."""
    spec = importlib.util.spec_from_file_location("compare", EXAMPLE.parent / "compare_with_truth.py")
    assert spec is not None and spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    truth = json.loads((EXAMPLE / "cameras.json").read_text())["images"]
    poses = {Path(view.name).stem: view.camera_from_world for view in capture.views}
    known = {Path(image["name"]).stem: np.array(image["cam_from_world"], np.float64) for image in truth}
    return np.asarray(compare.pair_errors(poses, {name: known[name] for name in poses}), np.float64)


def test_a_rig_in_every_photo_is_kept_out_by_masks(spoilt: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        without = reconstruct([spoilt], tmp_path_factory.mktemp("work"), SETTINGS)
        wrong = len(without.views) < len(PHOTOS) or bool(pose_errors(without).max() > 1)
        print(len(without.views), pose_errors(without))
    except UserError as error:
        print(error.sentence)
        wrong = True
    assert wrong, "the rig does no harm: it shows nothing that masks mend it"
    add_masks(spoilt)
    made = reconstruct([spoilt], tmp_path_factory.mktemp("work"), SETTINGS)
    capture = Reconstruction.load(made.save(tmp_path_factory.mktemp("out") / "capture"))
    assert len(capture.views) == len(PHOTOS) and not capture.warnings
    print(pose_errors(capture))
    assert pose_errors(capture).max() < 1
    assert capture.points is not None and len(capture.points.position) > 1000
    shares = []
    assert capture.views[-1].mask is None
    for view in capture.views[:-1]:
        assert view.mask is not None and view.depth is not None and view.confidence is not None
        where = rig((view.width, view.height))[1]
        left = np.asarray(
            Image.fromarray(~where).convert("L").resize((view.mask.shape[1], view.mask.shape[0]), Image.Resampling.BOX)
        )
        assert (view.mask == (left >= 128)).mean() > 0.99
        assert not view.depth[~view.mask].any() and not view.confidence[~view.mask].any()
        shares.append((view.depth[view.mask] > 0).mean())
    assert np.mean(shares) > 0.5, shares  # of what the masks leave; where the rig hides it in the others there is none
