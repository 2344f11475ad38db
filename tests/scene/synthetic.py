"""A small scene with a known answer: a ground, a wall, two balls and a crate, cast ray by ray with numpy.

Every surface has a smooth texture that is a function of its position, so that a photo, its depth and its points agree
exactly. Nothing here imports bpy; pictures are written with Pillow.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.geometry.projection import grid_pixels, unproject
from vggt_addon.reconstruction import PointCloud, Reconstruction, View

Float = NDArray[np.float64]
FAR = 1e6
BALLS = (((-0.7, 0.2, 0.5), 0.5), ((0.9, -0.5, 0.3), 0.3))
CRATE = ((0.1, 0.3, 0.0), (0.8, 0.9, 0.9))
SIZES = ((240, 160), (160, 240), (180, 180), (240, 160), (200, 150))  # landscape, portrait, square, ...


def capture(
    folder: Path, *, count: int = 4, scene_from_world: Float | None = None, scale: float = 1.0
) -> Reconstruction:
    """A Reconstruction of `count` views (z-up, about 3 units across) with pictures in `folder`.

    The scene is told in a world that `scene_from_world` (similarity) carries to it; without one the world is the
    scene itself. `scale` multiplies the pictures' size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world_from_scene = np.eye(4) if scene_from_world is None else np.linalg.inv(scene_from_world)
    views, clouds = [], []
    for index in range(count):
        view = _view(folder, index, count, world_from_scene, scale)
        views.append(view)
        clouds.append(_points(view))
    position, color, confidence = (np.concatenate(part) for part in zip(*clouds, strict=True))
    points = PointCloud(
        position=position,
        color=color,
        confidence=confidence,
        view=np.repeat(np.arange(count, dtype=np.int32), [len(cloud[0]) for cloud in clouds]),
        spacing=0.07 * float(np.cbrt(np.linalg.det(world_from_scene[:3, :3]))),
    )
    return Reconstruction(
        views=tuple(views),
        engine="synthetic",
        weights={"name": "none", "sha256": "0" * 64, "licence": "CC0"},
        reference=1,
        points=points,
        scene_from_world=scene_from_world,
    )


def similarity(scale: float, translation: tuple[float, float, float], seed: int = 5) -> Float:
    """A (4, 4) similarity with a random rotation."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation * np.sign(np.linalg.det(rotation))
    matrix[:3, 3] = translation
    return matrix


def look_at(center: Float, target: Float) -> Float:
    """camera_from_scene (4, 4) of an upright OpenCV camera in a z-up scene."""
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    camera_from_scene = np.eye(4)
    camera_from_scene[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    camera_from_scene[:3, 3] = -camera_from_scene[:3, :3] @ center
    return camera_from_scene


def _view(folder: Path, index: int, count: int, world_from_scene: Float, scale: float) -> View:
    width, height = (round(side * scale) for side in SIZES[index % len(SIZES)])
    angle = np.radians(-100 + 40 * index / max(count - 1, 1))
    center = np.array([3.2 * np.cos(angle), 3.2 * np.sin(angle), 1.3 + 0.15 * index])
    camera_from_scene = look_at(center, np.array([0.0, 0.2, 0.45]))
    intrinsics = np.diag([1.1 * max(width, height)] * 2 + [1.0])
    intrinsics[:2, 2] = width / 2 + 4.3 * index, height / 2 - 3.1 * index
    photo_from_grid = np.diag([2.0, 2.0, 1.0])
    depth, color = _cast(intrinsics, camera_from_scene, grid_pixels(photo_from_grid, height // 2, width // 2))
    halves = np.diag([0.5, 0.5, 1.0])
    _, fine = _cast(intrinsics, camera_from_scene, grid_pixels(halves, 2 * height, 2 * width))
    photo = fine.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    path = folder / f"photo_{index}.png"
    Image.fromarray(np.rint(photo * 255).astype(np.uint8)).save(path)
    unit = float(np.cbrt(np.linalg.det(world_from_scene[:3, :3])))  # world units in a scene unit
    scene_from_world = np.linalg.inv(world_from_scene)
    camera_from_world = camera_from_scene @ scene_from_world
    camera_from_world[:3] *= unit
    corners = np.stack([depth[:-1, :-1], depth[1:, :-1], depth[1:, 1:], depth[:-1, 1:]])
    return View(
        name=path.name,
        identity=hashlib.sha256(path.read_bytes()).hexdigest(),
        original=path,
        photo=path,
        width=width,
        height=height,
        intrinsics=intrinsics,
        camera_from_world=camera_from_world,
        photo_from_grid=photo_from_grid,
        depth=(depth * unit).astype(np.float32),
        confidence=np.random.default_rng(index).random(depth.shape, np.float32),
        color=np.rint(color * 255).astype(np.uint8),
        relief_depth=(depth * unit).astype(np.float32),
        depth_edge=corners.max(axis=0) > 1.08 * corners.min(axis=0),
    )


def _points(view: View) -> tuple[Float, NDArray[np.uint8], NDArray[np.float32]]:
    """Position, colour and confidence of every third pixel of the view's grid."""
    assert view.depth is not None and view.photo_from_grid is not None
    assert view.color is not None and view.confidence is not None
    pixels = grid_pixels(view.photo_from_grid, *view.depth.shape)
    world = unproject(view.intrinsics, view.camera_from_world, pixels, view.depth.astype(np.float64))
    every = (slice(None, None, 3), slice(None, None, 3))
    return world[every].reshape(-1, 3), view.color[every].reshape(-1, 3), view.confidence[every].ravel()


def _cast(intrinsics: Float, camera_from_scene: Float, pixels: Float) -> tuple[Float, Float]:
    """Depth (h, w) along the axis, and colour (h, w, 3) in [0, 1], of the first surface behind each pixel."""
    center = -camera_from_scene[:3, :3].T @ camera_from_scene[:3, 3]
    ahead = unproject(intrinsics, camera_from_scene, pixels, np.ones(pixels.shape[:2]))
    rays = ahead - center  # a step along each ray is one unit of depth
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.minimum(_positive(-center[2] / rays[..., 2]), _positive((1.4 - center[1]) / rays[..., 1]))
        for middle, radius in BALLS:
            depth = np.minimum(depth, _ball(center - np.array(middle), rays, radius))
        low, high = ((np.array(corner) - center) / rays for corner in CRATE)
        entry, leaving = np.minimum(low, high).max(axis=-1), np.maximum(low, high).min(axis=-1)
        depth = np.minimum(depth, np.where((entry < leaving) & (entry > 0), entry, FAR))
    return depth, _texture(center + rays * depth[..., None])


def _positive(depth: Float) -> Float:
    return np.where(depth > 0, depth, FAR)


def _ball(offset: Float, rays: Float, radius: float) -> Float:
    a, b, c = (rays**2).sum(-1), (rays @ offset), offset @ offset - radius**2
    root = b**2 - a * c
    return np.where(root > 0, _positive((-b - np.sqrt(np.maximum(root, 0))) / a), FAR)


def _texture(position: Float) -> Float:
    """Smooth enough to survive resampling at these sizes, busy enough that a shift shows."""
    waves = np.array([[9.0, 2.0, 5.0], [-3.0, 8.0, 6.0], [5.0, -6.0, 9.0]])
    fine = np.sin(position @ waves.T) * 0.22
    coarse = np.sin(position @ (waves[::-1].T * 0.37) + 1.0) * 0.22
    return np.asarray(np.clip(0.5 + fine + coarse, 0.0, 1.0), np.float64)
