"""A capture by DUSt3R's engine, from photos of several kinds to Blender: its cameras overlay them.

The network is a stand-in that gives each pair the example's known points, at a scale of its own; cameras and depth are
what the alignment finds. One photo is upright by its EXIF alone, one is a portrait as it is stored, one has a mask.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

torch = pytest.importorskip("torch")

from vggt_addon.engines.dust3r import engine  # noqa: E402
from vggt_addon.engines.dust3r.framing import frame_photo  # noqa: E402
from vggt_addon.engines.dust3r.load import Loaded  # noqa: E402
from vggt_addon.engines.dust3r.output import EncodedPhotos, PairOutput, PointMap  # noqa: E402
from vggt_addon.engines.layers.devices import Device  # noqa: E402
from vggt_addon.engines.layers.work import Speed  # noqa: E402
from vggt_addon.geometry.projection import grid_pixels, project, transform, unproject  # noqa: E402
from vggt_addon.photos.gather import gather  # noqa: E402
from vggt_addon.postprocess.apply import postprocess  # noqa: E402
from vggt_addon.progress import never, no_progress  # noqa: E402
from vggt_addon.reconstruction import Reconstruction  # noqa: E402
from vggt_addon.scene.build import BuildSettings, build  # noqa: E402
from vggt_addon.scene.root import THRESHOLD, set_slider  # noqa: E402
from vggt_addon.settings import EngineSettings, NetworkSettings  # noqa: E402 - they need torch

TURNED, PLAIN, MASKED, PORTRAIT = CHOSEN = ("courtyard_04", "courtyard_05", "courtyard_06", "courtyard_08")
HIDDEN = (300, 350, 700, 650)  # of the masked photo: left, top, right, bottom in its pixels
TRUE_LIMIT = 0.05  # photo pixels of 1200, against the truth: what rounding and the alignment leave


@dataclass
class CourtyardPairs:
    """Called as `load.PairNetwork`: photos are told apart by the order in which they are shown."""

    truth: Any
    framings: list[Any]
    seen: list[Any] = field(default_factory=list)  # of each photo that was shown: points in the world (H, W, 3)
    pairs: int = 0

    def encode(self, photos: Any, chunks: Any, on_step: Any) -> EncodedPhotos:
        true, framing = self.truth[len(self.seen)], self.framings[len(self.seen)]
        size = tuple(photos.shape[-2:])
        assert size == (framing.input_height, framing.input_width)
        pixels = grid_pixels(framing.photo_from_input, *size)
        self.seen.append(unproject(true.intrinsics, true.camera_from_world, pixels, true.depth_at(pixels)))
        on_step()
        return EncodedPhotos(torch.full((1, 1, 2), float(len(self.seen) - 1)), (1, 1))

    def decode(self, first: EncodedPhotos, second: EncodedPhotos, chunks: Any, on_step: Any) -> PairOutput:
        own, other = (int(photo.tokens[0, 0, 0]) for photo in (first, second))
        scale = 0.5 + (self.pairs * 0.37) % 1
        self.pairs += 1
        on_step()
        maps = []
        for photo in (own, other):
            points = scale * transform(self.truth[own].camera_from_world, self.seen[photo])
            maps.append(PointMap(torch.from_numpy(points).float()[None], torch.full((1, *points.shape[:2]), 20.0)))
        return PairOutput(*maps)


@pytest.fixture(scope="module")
def courtyard(helper: Any) -> ModuleType:
    return helper("scene/courtyard.py")


@pytest.fixture(scope="module")
def truth(courtyard: ModuleType) -> Any:
    return courtyard.true_photos(CHOSEN)


@pytest.fixture(scope="module")
def files(truth: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The photos in a folder: the portrait's pixels as they are seen, the mask beside its photo."""
    folder = tmp_path_factory.mktemp("photos")
    written = []
    for true in truth:
        written.append(folder / true.file.name)
        written[-1].write_bytes(true.file.read_bytes())
        if true.name == PORTRAIT:
            written[-1] = written[-1].rename(written[-1].with_suffix(".png"))
            with Image.open(true.file) as image:
                upright = ImageOps.exif_transpose(image)
            upright.info.clear()
            upright.save(written[-1])
        if true.name == MASKED:
            mask = Image.new("L", true.size, 255)
            ImageDraw.Draw(mask).rectangle(HIDDEN, 0)
            mask.save(written[-1].with_suffix(".mask.png"))
    return written


@pytest.fixture(scope="module")
def capture(truth: Any, files: list[Path], helper: Any, tmp_path_factory: pytest.TempPathFactory) -> Reconstruction:
    photos = gather(files).photos
    assert [photo.path.stem for photo in photos] == list(CHOSEN)
    network = CourtyardPairs(truth, [frame_photo(photo.width, photo.height) for photo in photos])
    record = helper("engines/vggt/standin.py").RECORD
    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_device", lambda name, allowed: device)
        patch.setattr(engine, "known_speed", lambda *_: Speed(1e11, 1e11, 1e11))
        made = engine.Dust3rEngine(lambda *_: Loaded(network, record)).reconstruct(
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


def true_depth(view: Any, true: Any) -> Any:
    """At the pixels of the view's depth; NaN where there is none, or the mask hides it."""
    depth = true.depth_at(grid_pixels(view.photo_from_grid, *view.depth.shape))
    return depth if view.mask is None else np.where(view.mask, depth, np.nan)


def unit(capture: Reconstruction, truth: Any) -> float:
    """The capture's world units in a true one, by depth."""
    ratios = []
    for view, true in zip(capture.views, truth, strict=True):
        assert view.depth is not None
        known = view.depth > 0
        ratios.append(np.median(view.depth[known] / true_depth(view, true)[known]))
    assert max(ratios) / min(ratios) < 1.001, "one world has one unit"
    return float(np.median(ratios))


def test_blenders_cameras_are_the_captures(built: Any, capture: Reconstruction, courtyard: ModuleType) -> None:
    """Its own points through its own K and pose, against root, parent and Blender's camera: photos as they are seen."""
    scene = bpy.context.scene
    for view, camera in zip(capture.views, built.cameras, strict=True):
        assert view.depth is not None and view.photo_from_grid is not None
        known = view.depth > 0
        pixels = grid_pixels(view.photo_from_grid, *known.shape)[known][::331]
        points = unproject(view.intrinsics, view.camera_from_world, pixels, view.depth[known][::331].astype(float))
        off = courtyard.overlay(built, camera, pixels, points)
        assert len(pixels) > 200 and off < 0.01, f"{view.name}: {off:.4f} px"
        assert (scene.render.resolution_x, scene.render.resolution_y) == (view.width, view.height)


def test_cameras_see_known_points_where_the_photos_show_them(
    built: Any, capture: Reconstruction, truth: Any, courtyard: ModuleType
) -> None:
    scale = unit(capture, truth)
    for view, camera, true in zip(capture.views, built.cameras, truth, strict=True):
        pixels, world = true.known_points()
        off = courtyard.overlay(built, camera, pixels, scale * world)
        assert off < TRUE_LIMIT, f"{view.name}: {off:.4f} px"
        assert (view.width, view.height) == true.size
        assert view.intrinsics[0, 0] == pytest.approx(true.intrinsics[0, 0], rel=1e-4)


def test_depth_is_the_courtyards_and_the_mask_is_kept_out(capture: Reconstruction, truth: Any) -> None:
    scale = unit(capture, truth)
    for view, true in zip(capture.views, truth, strict=True):
        assert view.depth is not None and view.confidence is not None
        expected = true_depth(view, true)
        known = np.isfinite(expected)
        assert np.array_equal(view.depth > 0, known), view.name
        np.testing.assert_allclose(view.depth[known] / scale, expected[known], rtol=1e-4)
        assert ((view.confidence > 0) == known).all()
        assert (view.mask is not None) == (true.name == MASKED)
    masked = next(view for view in capture.views if view.mask is not None)
    left, top, right, bottom = HIDDEN
    hidden = (right - left) * (bottom - top) / (masked.width * masked.height)
    assert 1 - masked.mask.mean() == pytest.approx(hidden, rel=0.02)


def test_points_have_the_colours_of_their_photos(capture: Reconstruction) -> None:
    cloud = capture.points
    assert cloud is not None and len(cloud.position) > 100_000
    for number, view in enumerate(capture.views):
        assert view.depth is not None and view.photo_from_grid is not None
        own = cloud.view == number
        assert own.sum() > 10_000
        pixels, _ = project(view.intrinsics, view.camera_from_world, cloud.position[own])
        at = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(view.photo_from_grid).T
        np.testing.assert_allclose(at[:, :2] % 1, 0.5, atol=0.01)  # each lies on the ray of a pixel's centre
        rows, columns = view.depth.shape
        with Image.open(view.photo) as image:
            shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB").resize((columns, rows)), np.int64)
        column, row = at[:, :2].astype(int).T
        apart = np.abs(shown[row, column] - cloud.color[own]).max(axis=1)
        assert np.median(apart) <= 2 and np.mean(apart > 16) < 0.02, view.name


def test_reliefs_are_their_photos(built: Any, capture: Reconstruction, measures: ModuleType) -> None:
    """With nothing hidden, each relief through its own camera is the picture it is textured with."""
    set_slider(built.root, THRESHOLD, 0.0)
    for view, camera, relief in zip(capture.views, built.cameras, built.reliefs, strict=True):
        picture, shown = measures.render(camera, [relief])
        photo = measures.read(view.photo)
        assert photo.shape[:2] == (view.height, view.width)
        assert measures.psnr(picture, photo, shown) >= 45, view.name
        assert measures.shift(photo, picture, shown) < 0.1, view.name
        if view.mask is None:
            assert shown.mean() >= 0.85, view.name
        else:
            left, top, right, bottom = HIDDEN
            assert not shown[top + 5 : bottom - 5, left + 5 : right - 5].any(), "what the mask hides is not shown"
            assert shown.mean() >= 0.7
