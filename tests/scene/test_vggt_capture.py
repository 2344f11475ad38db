"""A capture by VGGT's engine, from the example's photos to Blender: its cameras overlay them.

The network is a stand-in that gives the example's known cameras and depth, in its own input and in a world of its own.
"""

from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vggt_addon.engines.layers.devices import Device  # noqa: E402
from vggt_addon.engines.layers.work import Speed  # noqa: E402
from vggt_addon.engines.vggt import engine  # noqa: E402
from vggt_addon.engines.vggt.framing import frame_photos  # noqa: E402
from vggt_addon.engines.vggt.load import Loaded  # noqa: E402
from vggt_addon.geometry.projection import grid_pixels  # noqa: E402
from vggt_addon.photos.gather import gather  # noqa: E402
from vggt_addon.postprocess.apply import postprocess  # noqa: E402
from vggt_addon.progress import never, no_progress  # noqa: E402
from vggt_addon.reconstruction import Reconstruction  # noqa: E402
from vggt_addon.scene.build import BuildSettings, build  # noqa: E402
from vggt_addon.scene.root import THRESHOLD, set_slider  # noqa: E402
from vggt_addon.settings import EngineSettings, NetworkSettings  # noqa: E402 - they need torch

CHOSEN = ("courtyard_04", "courtyard_05", "courtyard_06")  # the first is upright, a portrait, by its EXIF alone


@pytest.fixture(scope="module")
def courtyard(helper: Any) -> ModuleType:
    return helper("scene/courtyard.py")


@pytest.fixture(scope="module")
def truth(courtyard: ModuleType) -> Any:
    return courtyard.true_photos(CHOSEN)


@pytest.fixture(scope="module")
def standin(helper: Any) -> ModuleType:
    return helper("engines/vggt/standin.py")


@pytest.fixture(scope="module")
def capture(truth: Any, standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Reconstruction:
    photos = gather([true.file for true in truth]).photos
    framings = frame_photos([(photo.width, photo.height) for photo in photos])

    def network(images: Any, chunks: Any, on_step: Any) -> Any:
        size = tuple(images.shape[-2:])
        encodings, depths = [], []
        for true, framing in zip(truth, framings, strict=True):
            pose, focal = true.camera_from_world, true.intrinsics[0, 0]
            encodings.append(standin.encode(pose, focal, framing.photo_from_input, size))
            depths.append(true.depth_at(grid_pixels(framing.photo_from_input, *size)))
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


@pytest.fixture
def built(capture: Reconstruction) -> Any:
    return build(capture, settings=BuildSettings())


def test_blenders_cameras_see_known_points_where_the_photos_show_them(
    built: Any, capture: Reconstruction, truth: Any, courtyard: ModuleType
) -> None:
    """Points at true depth, through root, parent and Blender's own camera, against the example's stated K and pose."""
    scene = bpy.context.scene
    for view, camera, true in zip(capture.views, built.cameras, truth, strict=True):
        off = courtyard.overlay(built, camera, *true.known_points())
        assert off < 0.01, f"{view.name}: {off:.4f} px"
        assert (scene.render.resolution_x, scene.render.resolution_y) == true.size == (view.width, view.height)


def test_points_and_depth_are_the_courtyards(capture: Reconstruction, truth: Any) -> None:
    assert capture.points is not None and len(capture.points.position) > 100_000
    for view, true in zip(capture.views, truth, strict=True):
        assert view.depth is not None and view.photo_from_grid is not None
        expected = true.depth_at(grid_pixels(view.photo_from_grid, *view.depth.shape))
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
