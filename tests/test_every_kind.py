"""One folder with a photo of every kind, turn and colour space: each is used as if all were plain JPEGs.

Of the longer tests: about half a minute of two idle cores, most of it the camera solver's.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vggt_addon.geometry.projection import project
from vggt_addon.photos.read import decode, probe
from vggt_addon.pipeline import reconstruct
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import EngineSettings, RunSettings

EXAMPLE = Path(__file__).parent.parent / "examples" / "courtyard"
SETTINGS = RunSettings(
    engine="sfm", engine_settings=EngineSettings(depth_size=96, threads=2), point_budget=20_000
)  # cameras as ever, and as little depth as there may be


@pytest.fixture(scope="module")
def every_kind(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("photos/every_kind.py")


@pytest.fixture(scope="module")
def folder(
    every_kind: ModuleType, helper: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The ten photos of the courtyard, each of another kind."""
    folder = tmp_path_factory.mktemp("every kind")
    photos = sorted((EXAMPLE / "photos").iterdir())
    for kind, photo in zip(every_kind.KINDS, photos, strict=True):
        with Image.open(photo) as image:
            exif = image.getexif()
            target = folder / f"{photo.stem}.{kind.suffix}"
        every_kind.write(kind, plain(photo.name), exif, target, helper("photos/color_truth.py"))
    return folder


@pytest.fixture(scope="module")
def capture(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Reconstruction:
    made = reconstruct([folder], tmp_path_factory.mktemp("work"), SETTINGS)
    return Reconstruction.load(made.save(tmp_path_factory.mktemp("out") / "capture"))


def plain(name: str) -> NDArray[np.uint8]:
    """The JPEG that the photo `name` was made of, upright."""
    with Image.open(EXAMPLE / "photos" / f"{Path(name).stem}.jpg") as image:
        return np.asarray(ImageOps.exif_transpose(image))


def area_means(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Over 8 x 8 pixels: what remains of a codec's loss is a change of colour."""
    height, width = pixels.shape[0] // 8 * 8, pixels.shape[1] // 8 * 8
    blocks = pixels[:height, :width].reshape(height // 8, 8, width // 8, 8, 3)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float64)


def test_each_is_upright_and_of_the_right_colours(folder: Path, every_kind: ModuleType) -> None:
    files = sorted(folder.iterdir())
    for kind, file in zip(every_kind.KINDS, files, strict=True):
        photo = probe(file)
        assert photo.lens == probe(EXAMPLE / "photos" / f"{file.stem}.jpg").lens, kind
        assert photo.shown_as_is is (kind == every_kind.KINDS[0])
        shown, expected = decode(photo), plain(file.name)
        difference = np.abs(shown.astype(int) - expected)
        assert np.percentile(difference, 99) <= 3, (kind, np.percentile(difference, [50, 99, 100]))
        assert np.abs(area_means(shown) - area_means(expected)).max() <= 3, kind


def test_each_is_placed_as_its_jpeg_would_be(capture: Reconstruction) -> None:
    spec = importlib.util.spec_from_file_location("compare", EXAMPLE.parent / "compare_with_truth.py")
    assert spec is not None and spec.loader is not None
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    truth = json.loads((EXAMPLE / "cameras.json").read_text())["images"]
    assert len(capture.views) == len(truth) == 10 and not capture.left_out
    poses = {Path(view.name).stem: view.camera_from_world for view in capture.views}
    errors = compare.pair_errors(
        poses, {Path(image["name"]).stem: np.array(image["cam_from_world"], np.float64) for image in truth}
    )
    assert np.mean([(errors < degrees).mean() for degrees in (1, 2, 3)]) >= 0.97  # as test_acceptance has it
    focal = {Path(image["name"]).stem: image["K"][0][0] for image in truth}
    for view in capture.views:
        assert abs(view.intrinsics[0, 0] / focal[Path(view.name).stem] - 1) < 0.005, view.name


def test_what_blender_shows_is_the_jpeg(capture: Reconstruction) -> None:
    """Plain, upright, 8-bit sRGB, of the camera's frame; straightened where the solver found a pixel of distortion."""
    for view in capture.views:
        with Image.open(view.photo) as image:
            assert image.format == "JPEG" and image.mode == "RGB" and image.size == (view.width, view.height), view.name
            assert not image.info.get("icc_profile")
            assert image.getexif().get(0x0112, 1) == 1
            shown = np.asarray(image)
        difference = np.abs(area_means(shown) - area_means(plain(view.name)))
        assert np.percentile(difference, 99) <= 3, view.name


def test_blenders_cameras_overlay_what_is_behind_them(
    capture: Reconstruction, helper: Callable[[str], ModuleType]
) -> None:
    """Points of the capture, through root, parent and Blender's own camera, against each view's intrinsics and pose."""
    pytest.importorskip("bpy")
    from vggt_addon.scene.build import BuildSettings, build
    from vggt_addon.scene.save import new_file

    new_file()
    built = build(capture, settings=BuildSettings())
    assert capture.points is not None
    points = np.asarray(capture.points.position, np.float64)[::50]
    for view, camera in zip(capture.views, built.cameras, strict=True):
        pixels, depth = project(view.intrinsics, view.camera_from_world, points)
        inside = (depth > 0) & ((pixels > 0) & (pixels < (view.width, view.height))).all(axis=1)
        assert inside.sum() > 50, view.name
        off = helper("scene/courtyard.py").overlay(built, camera, pixels[inside], points[inside])
        assert off < 0.01, f"{view.name}: {off:.4f} px"
        (background,) = camera.data.background_images
        assert Path(background.image.filepath).resolve() == view.photo.resolve(), view.name
    new_file()
