"""Pictures of a capture: from outside, and a photo beside the scene rendered through its camera.

Both render in a scene of their own, with Cycles on the CPU, and leave nothing behind.
This module imports nothing beyond the standard library, numpy, bpy and the room's neighbour errors.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from . import attributes
from .build import VIEW_TRANSFORM, BuiltCapture
from .cameras import SENSOR, look_through
from .datablocks import temporary
from .framing import frame, nearest_spacing
from .frusta import build_frustum, frustum_corners
from .materials import color_material, plain_world

BACKGROUND = (0.012, 0.013, 0.016)  # linear: dark and neutral, so that points read well
WIRE = (1.0, 0.30, 0.03)
REFERENCE_WIRE = (0.10, 0.65, 1.0)
ASPECT = 16 / 10
LENS = 50.0  # millimetres, on a sensor like the photos': a calm perspective


def render_preview(built: BuiltCapture, path: Path | str, *, width: int = 1400, samples: int = 12) -> Path:
    """Write a PNG, `width` pixels wide, of points, reliefs and cameras seen from behind and above the cameras.

    Cameras are drawn as wire pyramids with their photos, the scene's active one in blue. Returns the path, absolute.
    """
    with _stage(built, samples) as scene:
        size = (width, round(width / ASPECT))
        scene.render.resolution_x, scene.render.resolution_y = size
        for layer in scene.view_layers:
            layer.update()
        seen = _seen(built)
        long_side = _frustum_size(built, seen)
        wires = [color_material("wire", color) for color in (WIRE, REFERENCE_WIRE)]
        for camera in built.cameras:
            build_frustum(camera, long_side, wires[camera == _active(built)], scene.collection)
        frusta = np.array([frustum_corners(camera, long_side) for camera in built.cameras])
        eye = bpy.data.objects.new("preview", bpy.data.cameras.new("preview"))
        scene.collection.objects.link(eye)
        scene.camera = eye
        eye.data.sensor_fit, eye.data.sensor_width, eye.data.lens = "HORIZONTAL", SENSOR, LENS
        pose, distance = frame(seen, frusta, _poses(built), bool(built.root.get("upright")), LENS / SENSOR, ASPECT)
        eye.matrix_world = pose.T.tolist()
        eye.data.clip_start, eye.data.clip_end = 1e-3 * distance, 1e3 * distance
        return _write(_render(scene), path)


def render_overlay(built: BuiltCapture, photo: str, path: Path | str, *, width: int = 1400, samples: int = 12) -> Path:
    """Write a PNG, about `width` pixels wide, of the photo called `photo` (left) and the scene through its camera.

    Raises KeyError where no camera has that photo. Returns the path, absolute.
    """
    camera = built.camera(photo)
    with _stage(built, samples) as scene:
        look_through(camera, scene)
        step = max(1, round(2 * camera["photo_width"] / width))
        scene.render.resolution_x = camera["photo_width"] // step
        scene.render.resolution_y = camera["photo_height"] // step
        rendered = _render(scene)
        left = _reduced(attributes.get_pixels(camera.data.background_images[0].image), step)
        if left.shape != rendered.shape:  # the photo is missing
            left = np.zeros_like(rendered)
        gap = np.full((len(left), 6, 3), 255, np.uint8)
        return _write(np.concatenate([left, gap, rendered], axis=1), path)


@contextmanager
def _stage(built: BuiltCapture, samples: int) -> Iterator[bpy.types.Scene]:
    """A scene that shows the capture in its own colours on a dark ground, for as long as it is needed."""
    with temporary():
        scene = bpy.data.scenes.new("preview")
        scene.collection.children.link(built.collection)
        scene.world = plain_world("preview", BACKGROUND)
        render, cycles = scene.render, scene.cycles
        render.engine = "CYCLES"
        cycles.device, cycles.samples, cycles.seed = "CPU", samples, 0
        cycles.use_denoising = cycles.use_adaptive_sampling = False
        cycles.max_bounces = 0  # everything emits
        render.resolution_percentage = 100
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode, render.image_settings.color_depth = "RGB", "8"
        scene.view_settings.view_transform, scene.view_settings.look = VIEW_TRANSFORM, "None"
        yield scene


def _render(scene: bpy.types.Scene) -> NDArray[np.uint8]:
    """The picture that `scene` renders: (h, w, 3) uint8 sRGB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "render.png"
        scene.render.filepath = str(path)
        bpy.ops.render.render(scene=scene.name, write_still=True)
        return attributes.get_pixels(bpy.data.images.load(str(path), check_existing=False))


def _active(built: BuiltCapture) -> bpy.types.Object:
    """The camera that some scene looks through, else the first."""
    used = [scene.camera for scene in bpy.data.scenes if scene.camera in built.cameras]
    return used[0] if used else built.cameras[0]


def _poses(built: BuiltCapture) -> NDArray[np.float64]:
    return np.array([camera.matrix_world.normalized() for camera in built.cameras], np.float64)


def _seen(built: BuiltCapture) -> NDArray[np.float64]:
    """Scene positions (n, 3) that stand for the surfaces shown: points, or relief vertices where there are none."""
    meshes = [built.points.data] if built.points is not None else [relief.data for relief in built.reliefs]
    if not meshes:
        return np.empty((0, 3))
    local = np.concatenate([attributes.get_positions(mesh)[:: max(1, len(mesh.vertices) // 50_000)] for mesh in meshes])
    placed = np.array(built.root.matrix_world, np.float64)
    return np.asarray(local @ placed[:3, :3].T + placed[:3, 3], np.float64)


def _frustum_size(built: BuiltCapture, seen: NDArray[np.float64]) -> float:
    """Long side of the pictures: they hardly overlap, and no pyramid is large beside the scene, long lens or not."""
    centers = _poses(built)[:, :3, 3]
    middle = np.median(seen, axis=0) if len(seen) else centers.mean(axis=0)
    distance = float(np.median(np.linalg.norm(centers - middle, axis=1))) or 1.0
    longest = max(camera.data.lens / SENSOR for camera in built.cameras)  # a pyramid's height over its base
    largest = 0.2 * distance / max(1.0, longest)
    return min(0.8 * nearest_spacing(centers), largest) or largest


def _write(pixels: NDArray[np.uint8], path: Path | str) -> Path:
    """Save a PNG without the date and paths that a render's own file carries; returns its absolute path.

    Raises UserError where the disk refuses.
    """
    path = Path(path).absolute()
    image = bpy.data.images.new("picture", pixels.shape[1], pixels.shape[0])
    attributes.set_pixels(image, pixels)
    image.filepath_raw, image.file_format = str(path), "PNG"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save()
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"The picture {path} could not be written. Is the disk full or the folder protected?", repr(error)
        ) from error
    return path


def _reduced(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Every `step` by `step` block's mean."""
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    blocks = pixels[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
