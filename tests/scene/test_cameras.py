"""Must show: a world point projected by the Reconstruction and by Blender's own camera agree."""

import itertools
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from numpy.typing import NDArray

from vggt_addon.geometry.projection import project, transform, unproject
from vggt_addon.reconstruction import PointCloud, Reconstruction, View
from vggt_addon.scene.build import build
from vggt_addon.scene.cameras import SENSOR, look_through

SIZES = {"landscape": (1200, 800), "portrait": (900, 1600), "square": (1000, 1000)}


def random_capture(
    rng: np.random.Generator, size: tuple[int, int], aspect: float, away: float, scene_from_world: Any
) -> Reconstruction:
    """Six cameras of 12 to 1000 mm around a random cloud that lies `away` units from the world's origin."""
    width, height = size
    offset = away * rng.normal(size=3)
    views = []
    for index, millimetres in enumerate([12.0, 24.0, 50.0, 100.0, 300.0, 1000.0]):
        focal = millimetres / SENSOR * max(size)
        intrinsics = np.diag([focal, focal / aspect, 1.0])
        intrinsics[:2, 2] = rng.uniform(0.3, 0.7, 2) * size
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        pose = np.eye(4)
        pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
        pose[:3, 3] = -pose[:3, :3] @ (offset + rng.uniform(-2, 2, 3))
        path = Path(f"photo_{index}.jpg")
        views.append(View(path.name, str(index), path, path, width, height, intrinsics, pose))
    pixels = rng.uniform(0, 1, (len(views), 25, 2)) * size
    cloud = [
        unproject(view.intrinsics, view.camera_from_world, at, rng.uniform(1, 5, 25))
        for view, at in zip(views, pixels, strict=True)
    ]
    points = PointCloud(
        position=np.concatenate(cloud),
        color=np.zeros((150, 3), np.uint8),
        confidence=np.ones(150, np.float32),
        view=np.repeat(np.arange(6, dtype=np.int32), 25),
        spacing=0.1,
    )
    if scene_from_world is not None:  # what postprocess makes: the scene near its own origin
        scene_from_world = scene_from_world.copy()
        scene_from_world[:3, 3] = -scene_from_world[:3, :3] @ np.median(points.position, axis=0) + [0.3, -0.2, 0.5]
    return Reconstruction(tuple(views), "synthetic", points=points, scene_from_world=scene_from_world)


def blender_pixels(built: Any, camera: Any, world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels by Blender's own camera of world points, which go through root and world_origin in float64."""
    scene = bpy.context.scene
    look_through(camera, scene)
    placed = transform(np.array(built.root.matrix_world, np.float64), world - np.array(built.root["world_origin"]))
    seen = np.array([world_to_camera_view(scene, camera, Vector(point)) for point in placed])
    return np.stack([seen[:, 0], 1 - seen[:, 1]], axis=1) * (scene.render.resolution_x, scene.render.resolution_y)


@pytest.mark.parametrize("away", [0.0, 1e6])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape", SIZES)
def test_blender_and_the_reconstruction_project_alike(
    shape: str, turned: bool, away: float, synthetic: ModuleType
) -> None:
    for seed, aspect in itertools.product(range(2), [1.0, 1.07, 0.93]):
        rng = np.random.default_rng([seed, len(shape)])
        scene_from_world = synthetic.similarity(float(rng.uniform(0.2, 4)), (0, 0, 0), seed) if turned else None
        capture = random_capture(rng, SIZES[shape], aspect, away, scene_from_world)
        built = build(capture)
        for view, camera in zip(capture.views, built.cameras, strict=True):
            own = capture.points.position[capture.points.view == capture.views.index(view)]
            expected, _ = project(view.intrinsics, view.camera_from_world, own)
            off = np.abs(blender_pixels(built, camera, own) - expected).max()
            focal = view.intrinsics[0, 0]
            limit = 0.01 if camera.data.lens <= 100.5 else 3e-6 * focal
            assert off < limit, f"{off:.4f} px at {camera.data.lens:.0f} mm, aspect {aspect}, seed {seed}"
            assert view.width == bpy.context.scene.render.resolution_x


def test_the_lens_reads_as_a_35_mm_equivalent_in_both_orientations(capture: Any) -> None:
    built = build(capture)
    for view, camera in zip(capture.views, built.cameras, strict=True):
        assert camera.data.lens == pytest.approx(view.intrinsics[0, 0] / max(view.width, view.height) * 36)
        assert camera.data.sensor_fit == ("HORIZONTAL" if view.width >= view.height else "VERTICAL")


def test_a_render_of_the_other_orientation_keeps_the_photo_in_its_middle(capture: Any) -> None:
    """The long side is fixed, so a larger frame only adds around the photo."""
    built = build(capture)
    view, camera = capture.views[1], built.cameras[1]  # portrait
    look_through(camera)
    point = Vector(
        transform(np.array(built.root.matrix_world), capture.points.position[7] - built.root["world_origin"])
    )
    scene = bpy.context.scene
    narrow = world_to_camera_view(scene, camera, point)
    scene.render.resolution_x = 3 * view.width
    wide = world_to_camera_view(scene, camera, point)
    assert (wide.x - 0.5) * 3 == pytest.approx(narrow.x - 0.5, abs=1e-5)
    assert wide.y == pytest.approx(narrow.y, abs=1e-6)


def test_cameras_carry_their_photo(capture: Any) -> None:
    built = build(capture)
    for view, camera in zip(capture.views, built.cameras, strict=True):
        assert (camera.name, camera.data.name) == (view.name, view.name)
        assert (camera["photo_width"], camera["photo_height"]) == (view.width, view.height)
        (background,) = camera.data.background_images
        assert background.image.size[:] == (view.width, view.height)
        assert (background.alpha, background.display_depth) == (1.0, "BACK")
        assert tuple(background.offset) == (0, 0) and background.scale == 1 and background.rotation == 0
        assert camera.data.show_background_images


def test_clipping_follows_the_size_of_the_scene(capture: Any) -> None:
    ends = []
    for factor in (1e-3, 1.0, 1e3):
        scene_from_world = capture.scene_from_world.copy()
        scene_from_world[:3] *= factor
        built = build(capture.replace(scene_from_world=scene_from_world))
        scale = built.root.scale[0]
        for view, camera in zip(capture.views, built.cameras, strict=True):
            assert camera.data.clip_start < 0.05 * view.depth.min() * scale
            assert camera.data.clip_end > 2 * view.depth.max() * scale
        ends.append(built.cameras[0].data.clip_end / factor)
    assert ends == pytest.approx([ends[0]] * 3, rel=1e-4)


def test_look_through_restores_size_and_square_pixels(capture: Any) -> None:
    built = build(capture)
    render = bpy.context.scene.render
    render.resolution_percentage, render.pixel_aspect_y = 37, 2.0
    look_through(built.cameras[2])
    assert bpy.context.scene.camera == built.cameras[2]
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (180, 180, 100)
    assert (render.pixel_aspect_x, render.pixel_aspect_y) == (1.0, 1.0)
