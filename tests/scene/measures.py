"""Looking at a built capture by number: renders through its cameras, and compares pictures.

Used by the tests of scene and by the end-to-end test. All renders are Cycles with one ray through each pixel's centre,
no dither and the Standard view transform, so that a picture's bytes come back as they are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from vggt_addon.scene.cameras import look_through

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def render(camera: Any, shown: list[Any], scene: Any = None) -> tuple[Picture, Mask]:
    """What `camera` sees of the objects `shown` alone: (h, w, 3) uint8 sRGB, and where it sees any of them (h, w)."""
    scene = scene or bpy.context.scene
    with _only(scene, shown), _exact(scene, camera):
        scene.render.image_settings.file_format = "PNG"
        scene.render.image_settings.color_mode = "RGBA"
        scene.render.image_settings.color_depth = "8"
        rgba = _rendered(scene, "sRGB")
    return np.rint(rgba[..., :3] * 255).astype(np.uint8), rgba[..., 3] > 0.5


def render_depth(camera: Any, shown: list[Any], scene: Any = None) -> NDArray[np.float32]:
    """Depth along the optical axis, scene units, of what `render` shows: (h, w) float32, infinite where nothing is."""
    scene = scene or bpy.context.scene
    material = bpy.data.materials.new("depth")
    if material.node_tree is None:
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    depth, emission = nodes.new("ShaderNodeCameraData"), nodes.new("ShaderNodeEmission")
    links.new(depth.outputs["View Z Depth"], emission.inputs["Color"])
    links.new(emission.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    layer = scene.view_layers[0]
    with _only(scene, shown), _exact(scene, camera):
        layer.material_override = material
        scene.render.image_settings.file_format = "OPEN_EXR"
        scene.render.image_settings.color_mode = "RGBA"
        scene.render.image_settings.color_depth = "32"
        rgba = _rendered(scene, "Non-Color")
        layer.material_override = None
    bpy.data.materials.remove(material)
    return np.where(rgba[..., 3] > 0.5, rgba[..., 0], np.float32(np.inf))


def read(path: Path) -> Picture:
    """A picture file as (h, w, 3) uint8, first row at the top."""
    image = bpy.data.images.load(str(path), check_existing=False)
    pixels = np.rint(_pixels(image)[..., :3] * 255).astype(np.uint8)
    bpy.data.images.remove(image)
    return pixels


def psnr(one: Picture, other: Picture, mask: Mask) -> float:
    """Peak signal to noise ratio in dB over the pixels of `mask`; infinite where they are equal."""
    error = np.mean((one[mask].astype(np.float64) - other[mask]) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def shift(one: Picture, other: Picture, mask: Mask) -> float:
    """How far `other` is displaced against `one`, in pixels, by phase correlation.

    The phase of the cross spectrum of a shift d is the plane 2 pi f . d; d is fitted to the low frequencies, weighted
    by their strength (Stone et al., 2001). Pixels outside `mask` are set to the first picture's in both.
    """
    first = one.mean(axis=2)
    second = np.where(mask, other.mean(axis=2), first)
    window = np.outer(np.hanning(first.shape[0]), np.hanning(first.shape[1]))
    spectra = [np.fft.fft2((picture - picture.mean()) * window) for picture in (first, second)]
    cross = spectra[0] * np.conj(spectra[1])
    rows, columns = np.meshgrid(*(np.fft.fftfreq(side) for side in first.shape), indexing="ij")
    low = (np.hypot(rows, columns) < 0.2) & (np.abs(cross) > 1e-4 * np.abs(cross).max())
    weight = np.sqrt(np.abs(cross[low]))
    planes = 2 * np.pi * np.stack([rows[low], columns[low]], axis=1)
    found, *_ = np.linalg.lstsq(planes * weight[:, None], np.angle(cross[low]) * weight, rcond=None)
    return float(np.hypot(*found))


def flat_card(relief: Any, camera: Any) -> Any:
    """A copy of `relief` whose every vertex stands at the median depth before `camera`, on its own ray."""
    card = relief.copy()
    card.data = relief.data.copy()
    for collection in relief.users_collection:
        collection.objects.link(card)
    pose = np.array(camera.matrix_local)
    positions = np.empty(3 * len(card.data.vertices), np.float32)
    card.data.attributes["position"].data.foreach_get("vector", positions)
    in_camera = (positions.reshape(-1, 3) - pose[:3, 3]) @ pose[:3, :3]
    in_camera *= (np.median(in_camera[:, 2]) / in_camera[:, 2])[:, None]
    moved = in_camera @ pose[:3, :3].T + pose[:3, 3]
    card.data.attributes["position"].data.foreach_set("vector", moved.astype(np.float32).ravel())
    card.data.update()
    return card


def seen_by_both(depth_of_other: NDArray[np.float32], depth_of_own: NDArray[np.float32]) -> Mask:
    """Where both see a surface, and the other view's relief, rendered through this view's camera, is not hidden behind
    this view's own.

    Only what lies more than 3 % behind is left out: what floats in front counts as an error of the relief.
    """
    return np.isfinite(depth_of_own) & (depth_of_other < 1.03 * depth_of_own)


@contextmanager
def _only(scene: Any, shown: list[Any]) -> Iterator[None]:
    before = {item: item.hide_render for item in scene.objects}
    for item in before:
        item.hide_render = item not in shown
    try:
        yield
    finally:
        for item, hidden in before.items():
            item.hide_render = hidden


@contextmanager
def _exact(scene: Any, camera: Any) -> Iterator[None]:
    look_through(camera, scene)
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.dither_intensity = 0
    render.film_transparent = True
    cycles.device, cycles.samples, cycles.filter_width = "CPU", 1, 0.01
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    render.threads_mode, render.threads = "FIXED", 2
    assert scene.view_settings.view_transform == "Standard"
    yield


def _rendered(scene: Any, color_space: str) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "picture")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        (path,) = Path(folder).iterdir()
        image = bpy.data.images.load(str(path), check_existing=False)
        image.colorspace_settings.name = color_space
        pixels = _pixels(image)
        bpy.data.images.remove(image)
    return pixels


def _pixels(image: Any) -> NDArray[np.float32]:
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, image.channels)[::-1]
