"""The example's stated cameras and depth are those of its photos: by ray casting, by rendering, and by the files."""

import importlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

COURTYARD = Path(__file__).parents[2] / "examples" / "courtyard"
IMAGES = json.loads((COURTYARD / "cameras.json").read_text())["images"]
SPACING = 0.15  # metres between vertices: coarse, so that the scene is built in seconds
FRACTION = 0.1  # of the photo's size

Float = NDArray[np.float64]


@pytest.fixture(scope="module")
def stage() -> Iterator[Any]:
    """The example's module that talks to Blender."""
    pytest.importorskip("bpy")
    sys.path.insert(0, str(COURTYARD))
    yield importlib.import_module("courtyard_scene.stage")
    sys.path.remove(str(COURTYARD))


@pytest.fixture(scope="module")
def scene(stage: Any) -> Iterator[Any]:
    """The courtyard, coarse."""
    import bpy

    yield stage.build(SPACING)
    bpy.ops.wm.read_factory_settings(use_empty=True)


def depth_of(image: dict[str, Any]) -> Float:
    """Stated depth in metres, NaN where there is none."""
    name, _, key = image["depth"].partition("#")
    with np.load(COURTYARD / name) as arrays:
        depth = arrays[key] / 1000.0
    return np.where(depth > 0, depth, np.nan)


def pixel_centers(image: dict[str, Any], width: int, height: int) -> Float:
    """Where the pixels of a smaller picture lie in the photo: (height, width, 2), the photo's centres at integers."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    scale = np.array([image["width"] / width, image["height"] / height])
    return np.asarray(np.stack([columns, rows], axis=-1) * scale - 0.5)


def camera_rays(image: dict[str, Any], pixels: Float) -> Float:
    """Directions in the camera's frame with z = 1, from K as stated."""
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
    return np.asarray(homogeneous @ np.linalg.inv(np.array(image["K"])).T)


@pytest.mark.parametrize("index", [0, 3])
def test_rendered_depth_is_that_of_rays_through_the_stated_camera(stage: Any, scene: Any, index: int) -> None:
    import bpy

    image = IMAGES[index]
    camera = importlib.import_module("courtyard_scene.cameras").walk()[index]
    rendered = stage.measure_depth(scene, camera, FRACTION)
    height, width = rendered.shape
    assert (width, height) == (image["width"] * FRACTION, image["height"] * FRACTION)

    camera_from_world = np.array(image["cam_from_world"])
    world_from_camera = np.linalg.inv(camera_from_world)
    center = world_from_camera[:3, 3]
    rays = camera_rays(image, pixel_centers(image, width, height)) @ world_from_camera[:3, :3].T
    tried = np.random.default_rng(1).permutation(height * width)[:1500]
    rendered, rays = rendered.ravel()[tried], rays.reshape(-1, 3)[tried]
    depsgraph = bpy.context.evaluated_depsgraph_get()
    cast = np.zeros_like(rendered)
    for number, ray in enumerate(rays):
        hit, where, *_ = scene.ray_cast(depsgraph, center.tolist(), ray.tolist())
        if hit:
            cast[number] = (camera_from_world[:3, :3] @ np.array(where) + camera_from_world[:3, 3])[2]

    both = (cast > 0) & (rendered > 0)
    assert np.mean((cast > 0) == (rendered > 0)) > 0.999
    error = np.abs(rendered[both] / cast[both] - 1)
    assert np.quantile(error, 0.99) < 1e-4
    assert np.mean(error > 1e-3) < 0.002  # a ray along a silhouette may fall on either side


@pytest.mark.parametrize("index", [4, 7])
def test_photo_and_depth_show_the_courtyard_upright(stage: Any, scene: Any, index: int) -> None:
    """Built again, even coarsely, the court has the stated depth, and looks like the photo turned as its EXIF says."""
    camera = importlib.import_module("courtyard_scene.cameras").walk()[index]
    depth = depth_of(IMAGES[index])
    rebuilt = stage.measure_depth(scene, camera, depth.shape[1] / camera.size[0])
    both = np.isfinite(depth) & (rebuilt > 0)
    assert both.sum() > 0.98 * np.isfinite(depth).sum()
    error = np.abs(rebuilt[both] / depth[both] - 1)
    assert np.median(error) < 0.004
    assert np.mean(error < 0.03) > 0.9

    with Image.open(COURTYARD / IMAGES[index]["name"]) as photo:
        upright = ImageOps.exif_transpose(photo).convert("L").resize((24, 24), Image.Resampling.BOX)
    again = Image.fromarray(stage.photograph(scene, camera, 1, FRACTION)).convert("L")
    again = again.resize((24, 24), Image.Resampling.BOX)
    turns = [np.corrcoef(np.rot90(np.asarray(upright), k).ravel(), np.asarray(again).ravel())[0, 1] for k in range(4)]
    assert turns[0] > 0.85
    assert turns[0] > max(turns[1:]) + 0.5


@pytest.mark.parametrize("pair", [(0, 1), (3, 4), (6, 7), (9, 8)])
def test_stated_depth_agrees_between_neighbours(pair: tuple[int, int]) -> None:
    """A point that one photo measures lies, through both stated cameras, at the depth that the other measures."""
    first, second = (IMAGES[index] for index in pair)
    depth, other = depth_of(first), depth_of(second)
    rays = camera_rays(first, pixel_centers(first, depth.shape[1], depth.shape[0]))
    in_first = (rays * depth[..., None])[np.isfinite(depth)]
    second_from_first = np.array(second["cam_from_world"]) @ np.linalg.inv(np.array(first["cam_from_world"]))
    in_second = in_first @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    homogeneous = in_second @ np.array(second["K"]).T
    scale = np.array([other.shape[1] / second["width"], other.shape[0] / second["height"]])
    places = np.floor((homogeneous[:, :2] / homogeneous[:, 2:] + 0.5) * scale).astype(int)
    inside = (places >= 0).all(axis=1) & (places < [other.shape[1], other.shape[0]]).all(axis=1)
    assert inside.mean() > 0.5
    ratio = other[places[inside, 1], places[inside, 0]] / in_second[inside, 2]
    ratio = ratio[np.isfinite(ratio)]
    assert abs(np.median(ratio) - 1) < 0.002
    assert np.mean(np.abs(ratio - 1) < 0.02) > 0.75  # the rest is hidden from one of the two


def test_cameras_are_rigid_and_walk_an_arc() -> None:
    centers, axes = [], []
    for image in IMAGES:
        camera_from_world = np.array(image["cam_from_world"])
        rotation = camera_from_world[:3, :3]
        assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-9
        assert np.linalg.det(rotation) > 0
        centers.append(-rotation.T @ camera_from_world[:3, 3])
        axes.append(rotation[2])
    assert all(1.0 < center[2] < 2.0 for center in centers)
    between = [float(np.degrees(np.arccos(a @ b))) for a, b in itertools.pairwise(axes)]
    assert min(between) > 5
    assert max(between) < 15


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: Path(image["name"]).stem)
def test_photo_says_its_lens_and_its_rotation(image: dict[str, Any]) -> None:
    with Image.open(COURTYARD / image["name"]) as photo:
        exif = photo.getexif()
        assert photo.size == (1200, 800)
        assert ImageOps.exif_transpose(photo).size == (image["width"], image["height"])
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif[ExifTags.Base.Make] and exif[ExifTags.Base.Model] and exif[ExifTags.Base.DateTime]
    focal = detail[ExifTags.Base.FocalLengthIn35mmFilm] / 36 * max(image["width"], image["height"])
    assert image["K"][0][0] == pytest.approx(focal, rel=0.005)
    assert image["K"][0][0] == image["K"][1][1]
    assert float(detail[ExifTags.Base.FocalLength]) > 0
    assert exif[ExifTags.Base.Orientation] == (6 if image["height"] > image["width"] else 1)
    depth = depth_of(image)
    assert depth.shape == (image["height"] // 4, image["width"] // 4)
    assert np.isfinite(depth).mean() > 0.8


def test_example_is_small() -> None:
    caches = {"__pycache__", ".mypy_cache", ".ruff_cache"}
    files = [path for path in COURTYARD.rglob("*") if path.is_file() and not caches & {*path.parts}]
    assert len(IMAGES) >= 8
    assert sum(path.stat().st_size for path in files) < 4_000_000
