"""A capture by VGGT's engine, from the example's photos to Blender: its cameras overlay them.

The network is a stand-in that gives the example's known cameras and depth, in its own input and in a world of its own.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

torch = pytest.importorskip("torch")

from vggt_addon.engines.layers.devices import Device  # noqa: E402
from vggt_addon.engines.layers.work import Speed  # noqa: E402
from vggt_addon.engines.vggt import engine  # noqa: E402
from vggt_addon.engines.vggt.framing import frame_photos  # noqa: E402
from vggt_addon.engines.vggt.load import Loaded  # noqa: E402
from vggt_addon.geometry.projection import grid_pixels, inverse_rigid, project, transform, unproject  # noqa: E402
from vggt_addon.photos.gather import gather  # noqa: E402
from vggt_addon.postprocess.apply import postprocess  # noqa: E402
from vggt_addon.progress import never, no_progress  # noqa: E402
from vggt_addon.reconstruction import Reconstruction  # noqa: E402
from vggt_addon.scene.build import BuildSettings, build  # noqa: E402
from vggt_addon.scene.cameras import look_through  # noqa: E402
from vggt_addon.scene.root import THRESHOLD, set_slider  # noqa: E402
from vggt_addon.settings import EngineSettings, NetworkSettings  # noqa: E402 - they need torch

COURTYARD = Path(__file__).parents[2] / "examples" / "courtyard"
CHOSEN = ("courtyard_04", "courtyard_05", "courtyard_06")  # the second is upright by its EXIF alone


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    """Of each photo chosen: size, K with centres at +0.5, pose in the world that the stand-in takes, and depth."""
    images = {
        Path(image["name"]).stem: image for image in json.loads((COURTYARD / "cameras.json").read_text())["images"]
    }
    first = np.array(images[CHOSEN[0]]["cam_from_world"])
    with np.load(COURTYARD / "depth.npz") as arrays:
        depths = {name: arrays[name] / 1000.0 for name in CHOSEN}
    found = []
    for name in CHOSEN:
        image = images[name]
        intrinsics = np.array(image["K"])
        intrinsics[:2, 2] += 0.5
        pose = np.array(image["cam_from_world"]) @ inverse_rigid(first)  # VGGT's world: the first camera's
        found.append({"name": name, "size": (image["width"], image["height"]), "K": intrinsics, "pose": pose})
        found[-1]["depth"] = np.where(depths[name] > 0, depths[name], np.nan)  # the sky has none
    return found


@pytest.fixture(scope="module")
def standin(helper: Any) -> ModuleType:
    return helper("engines/vggt/standin.py")


@pytest.fixture(scope="module")
def capture(truth: Any, standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Reconstruction:
    photos = gather([COURTYARD / "photos" / f"{name}.jpg" for name in CHOSEN]).photos
    framings = frame_photos([(photo.width, photo.height) for photo in photos])

    def network(images: Any, chunks: Any, on_step: Any) -> Any:
        size = tuple(images.shape[-2:])
        encodings, depths = [], []
        for true, framing in zip(truth, framings, strict=True):
            encodings.append(standin.encode(true["pose"], true["K"][0, 0], framing.photo_from_input, size))
            depths.append(seen_depth(true, grid_pixels(framing.photo_from_input, *size)))
        on_step()
        return standin.output(np.array(encodings), np.array(depths), np.full((len(truth), *size), 20.0))

    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_device", lambda name, allowed: device)
        patch.setattr(engine, "known_speed", lambda *_: Speed(1e11, 1e11, 1e11))
        made = engine.VggtEngine(lambda *_: Loaded(network, standin.RECORD)).reconstruct(
            photos,
            tmp_path_factory.mktemp("workspace"),
            EngineSettings(threads=1, network=NetworkSettings(device="cpu")),
            no_progress,
            never,
        )
    folder = tmp_path_factory.mktemp("captures") / "courtyard"
    return Reconstruction.load(postprocess(made).save(folder))


def seen_depth(true: dict[str, Any], pixels: Any) -> Any:
    """The nearest true depth at photo pixels (h, w, 2)."""
    rows, columns = true["depth"].shape
    x = (pixels[..., 0] * columns / true["size"][0]).astype(int).clip(0, columns - 1)
    y = (pixels[..., 1] * rows / true["size"][1]).astype(int).clip(0, rows - 1)
    return true["depth"][y, x]


@pytest.fixture
def built(capture: Reconstruction) -> Any:
    return build(capture, settings=BuildSettings())


def test_blenders_cameras_see_known_points_where_the_photos_show_them(
    built: Any, capture: Reconstruction, truth: Any
) -> None:
    """Points at true depth, through root, parent and Blender's own camera, against the example's stated K and pose."""
    scene = bpy.context.scene
    for view, camera, true in zip(capture.views, built.cameras, truth, strict=True):
        random = np.random.default_rng(3)
        pixels = random.uniform(0.02, 0.98, (300, 2)) * true["size"]
        depth = seen_depth(true, pixels)
        pixels, depth = pixels[np.isfinite(depth)], depth[np.isfinite(depth)]
        world = unproject(true["K"], true["pose"], pixels, depth)
        np.testing.assert_allclose(project(true["K"], true["pose"], world)[0], pixels, atol=1e-6)
        placed = transform(np.array(built.root.matrix_world, np.float64), world - np.array(built.root["world_origin"]))
        look_through(camera, scene)
        seen = np.array([world_to_camera_view(scene, camera, Vector(point)) for point in placed])
        shown = np.stack([seen[:, 0], 1 - seen[:, 1]], axis=1) * (scene.render.resolution_x, scene.render.resolution_y)
        off = np.abs(shown - pixels).max()
        assert off < 0.01, f"{view.name}: {off:.4f} px"
        assert (scene.render.resolution_x, scene.render.resolution_y) == true["size"] == (view.width, view.height)


def test_points_and_depth_are_the_courtyards(capture: Reconstruction, truth: Any) -> None:
    assert capture.points is not None and len(capture.points.position) > 100_000
    for view, true in zip(capture.views, truth, strict=True):
        assert view.depth is not None and view.photo_from_grid is not None
        expected = seen_depth(true, grid_pixels(view.photo_from_grid, *view.depth.shape))
        known = np.isfinite(expected)
        assert np.array_equal(view.depth > 0, known)
        np.testing.assert_allclose(view.depth[known], expected[known], rtol=1e-6)


def test_reliefs_are_their_photos(built: Any, capture: Reconstruction, measures: ModuleType) -> None:
    """With nothing hidden, each relief through its own camera is the picture it is textured with."""
    set_slider(built.root, THRESHOLD, 0.0)
    for view, camera, relief in zip(capture.views, built.cameras, built.reliefs, strict=True):
        picture, shown = measures.render(camera, [relief])
        photo = measures.read(view.photo)
        assert measures.psnr(picture, photo, shown) >= 45, view.name
        assert shown.mean() >= 0.85, view.name
        assert measures.shift(photo, picture, shown) < 0.1, view.name
