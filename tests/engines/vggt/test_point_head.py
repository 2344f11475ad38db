"""Points from the point head: the exact points of a known scene come out exact, and stay what they are."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vggt_addon.engines.layers.chunks import DEFAULT_CHUNKS
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.engines.vggt import engine
from vggt_addon.engines.vggt.framing import frame_photos
from vggt_addon.engines.vggt.load import HEADS, Loaded, heads_for, load
from vggt_addon.engines.vggt.photo_cameras import photo_points
from vggt_addon.errors import EngineError, WeightsError
from vggt_addon.geometry.projection import grid_pixels, project
from vggt_addon.photos.gather import gather
from vggt_addon.photos.photo import Photo
from vggt_addon.postprocess.apply import PostprocessSettings, postprocess
from vggt_addon.progress import never, no_progress
from vggt_addon.reconstruction import POINTS_GIVEN, PointCloud, Reconstruction, View
from vggt_addon.settings import EngineSettings, NetworkSettings
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import StoredWeights

Float = NDArray[np.float64]
PROCESSOR = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)


def spoil_nothing(points: Float) -> None:
    """(S, H, W, 4) as it is."""


@pytest.fixture(scope="module")
def standin(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("engines/vggt/standin.py")


@pytest.fixture(scope="module")
def photos(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Photo, ...]:
    """The five photos: landscape, upright by its EXIF alone, of odd sides, with a hole, a strip."""
    folder = tmp_path_factory.mktemp("photos")
    return gather([shot.write(folder) for shot in standin.SHOTS]).photos


@pytest.fixture(scope="module", autouse=True)
def roomy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_device", lambda name, limit: PROCESSOR)
        patch.setattr(engine, "known_speed", lambda *_: Speed(1e11, 1e11, 1e11))
        yield


@pytest.fixture(scope="module")
def ask(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Reconstruction]:
    def run(
        photos: Sequence[Photo],
        spoil: Callable[[Float], None] | None = spoil_nothing,
        tamper: Callable[[Float, Float], None] = lambda encoding, depth: None,
        reference: str = "",
        **settings: Any,
    ) -> Reconstruction:
        network = standin.StandIn(photos[0].path.parent, standin.SHOTS, tamper, spoil)
        made = engine.VggtEngine(lambda *_: Loaded(network, standin.RECORD))
        asked = NetworkSettings(**{"points_from": "head", "input_size": 252, **settings})
        every = EngineSettings(threads=1, reference=reference, network=asked)
        return made.reconstruct(photos, tmp_path_factory.mktemp("workspace"), every, no_progress, never)

    return run


@pytest.fixture(scope="module")
def solved(ask: Callable[..., Reconstruction], photos: tuple[Photo, ...]) -> Reconstruction:
    return ask(photos)


def cloud_of(result: Reconstruction) -> PointCloud:
    assert result.points is not None
    return result.points


def cells(view: View, positions: Float) -> tuple[Float, NDArray[np.int64]]:
    """Where points (n, 3) project to in photo pixels (n, 2), and which pixels of the grid (n, 2) that is in."""
    assert view.photo_from_grid is not None
    at, _ = project(view.intrinsics, view.camera_from_world, positions)
    on_grid = (at - view.photo_from_grid[:2, 2]) / np.diag(view.photo_from_grid)[:2]
    return at, np.floor(on_grid).astype(np.int64)


# --- what the engine hands over


def test_the_points_of_a_known_scene_come_out_exact(standin: ModuleType, solved: Reconstruction) -> None:
    """On the surface, at the grid's pixels: nearer than the coarsest photo's hundredth of an input pixel."""
    cloud = cloud_of(solved)
    assert standin.off_surface(cloud.position).max() < 1e-4
    for index, view in enumerate(solved.views):
        assert view.depth is not None and view.photo_from_grid is not None
        own = cloud.position[cloud.view == index]
        at, cell = cells(view, own)
        known = view.depth > 0
        assert len(own) == known.sum(), "every pixel that shows something, and no padding"
        expected = grid_pixels(view.photo_from_grid, *view.depth.shape)[known]
        assert np.abs(at - expected).max() < 0.2, "photo pixels"
        np.testing.assert_array_equal(cell[:, ::-1], np.argwhere(known))
    assert solved.report[POINTS_GIVEN] == len(cloud.position)


def test_confidence_is_the_point_heads_own(standin: ModuleType, solved: Reconstruction) -> None:
    cloud = cloud_of(solved)
    for index, (view, shot) in enumerate(zip(solved.views, standin.SHOTS, strict=True)):
        own = cloud.view == index
        at, _ = cells(view, cloud.position[own])
        np.testing.assert_allclose(cloud.confidence[own], 1 - 1 / standin.point_trust(shot, at), atol=1e-3)


def test_colours_are_the_photos(solved: Reconstruction) -> None:
    cloud = cloud_of(solved)
    for index, view in enumerate(solved.views):
        assert view.color is not None and view.depth is not None
        np.testing.assert_array_equal(cloud.color[cloud.view == index], view.color[view.depth > 0])


def test_what_the_photo_does_not_show_is_no_point(standin: ModuleType, solved: Reconstruction) -> None:
    left, top, right, bottom = standin.SHOTS[3].hole
    view, cloud = solved.views[3], cloud_of(solved)
    at, _ = cells(view, cloud.position[cloud.view == 3])
    inside = (at > [left + 4, top + 4]).all(axis=1) & (at < [right - 4, bottom - 4]).all(axis=1)
    assert len(at) > 10_000 and not inside.any()


@pytest.mark.parametrize("settings", [{"reference": "d_cut_out.png"}, {"framing": "crop"}, {"framing": "pad"}])
def test_another_order_or_framing_changes_no_place(
    standin: ModuleType, ask: Callable[..., Reconstruction], photos: tuple[Photo, ...], settings: dict[str, str]
) -> None:
    result = ask(photos, **settings)
    cloud = cloud_of(result)
    assert np.array_equal(cloud.view, np.sort(cloud.view)) and set(cloud.view.tolist()) == {0, 1, 2, 3, 4}
    assert standin.off_surface(cloud.position).max() < 1e-4
    for index, view in enumerate(result.views):
        assert view.depth is not None
        own = cloud.view == index
        at, cell = cells(view, cloud.position[own])
        assert (at > -0.2).all() and (at < [view.width + 0.2, view.height + 0.2]).all()
        shown = cell.clip(0, [view.depth.shape[1] - 1, view.depth.shape[0] - 1])
        assert view.color is not None
        np.testing.assert_array_equal(cloud.color[own], view.color[shown[:, 1], shown[:, 0]])


def test_points_are_taken_to_the_cameras_world_and_masked() -> None:
    (framing,) = frame_photos([(56, 28)], "pad", long_side=56)
    points = np.random.default_rng(1).normal(size=(56, 56, 3)).astype(np.float32)
    trust = np.full((56, 56), 4.0, np.float32)
    points[14, 3, 1], points[15, 4, 0], trust[16, 5] = np.nan, np.inf, np.nan
    opaque = np.ones((28, 56), bool)
    opaque[10:] = False
    turn = np.array([[0.0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])
    positions, confidence, pixel = photo_points(points, trust, framing, turn, opaque)
    kept = np.ones((28, 56), bool)
    kept[10:] = kept[0, 3] = kept[1, 4] = kept[2, 5] = False
    np.testing.assert_array_equal(pixel, np.flatnonzero(kept))
    expected = points[framing.content][kept].astype(np.float64)
    np.testing.assert_allclose(positions, expected[:, [1, 0, 2]] * [-1, 1, 1] + [5, 6, 7])
    assert positions.dtype == np.float64 and confidence.dtype == np.float32 and set(confidence.tolist()) == {0.75}
    with pytest.raises(ValueError, match="for an input of"):
        photo_points(points[1:], trust, framing, turn)


# --- what is wrong with them


def test_a_photo_without_a_place_gives_no_points_and_the_others_keep_theirs(
    standin: ModuleType, ask: Callable[..., Reconstruction], photos: tuple[Photo, ...], solved: Reconstruction
) -> None:
    def lose(encoding: Float, depth: Float) -> None:
        encoding[1, 0] = np.nan

    result = ask(photos, tamper=lose)
    cloud, whole = cloud_of(result), cloud_of(solved)
    assert [view.name for view in result.views] == [photo.name for photo in photos if photo is not photos[1]]
    for index, before in enumerate((0, 2, 3, 4)):
        np.testing.assert_array_equal(cloud.position[cloud.view == index], whole.position[whole.view == before])


def test_senseless_points_are_dropped(ask: Callable[..., Reconstruction], photos: tuple[Photo, ...]) -> None:
    def spoil(points: Float) -> None:
        points[0, :, :100, 2] = np.nan
        points[1, :50, :, 3] = np.inf
        points[2] = np.nan

    cloud = cloud_of(ask(photos, spoil))
    assert np.isfinite(cloud.position).all() and cloud.confidence.max() < 1
    assert set(cloud.view.tolist()) == {0, 1, 3, 4}


def test_no_point_at_all_is_told(ask: Callable[..., Reconstruction], photos: tuple[Photo, ...]) -> None:
    def spoil(points: Float) -> None:
        points[:] = np.nan

    with pytest.raises(EngineError, match=r"point head gave no point: .*--points-from depth"):
        ask(photos[:2], spoil)


def test_without_being_asked_for_it_is_not_there(ask: Callable[..., Reconstruction], photos: tuple[Photo, ...]) -> None:
    result = ask(photos[:2], None, points_from="depth")
    assert result.points is None and POINTS_GIVEN not in result.report
    assert heads_for("depth") == HEADS and heads_for("head") == (*HEADS, "point")


def test_weights_without_a_point_head_are_refused_with_a_sentence(networks: ModuleType, tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in networks.weights("vggt").items() if not name.startswith("point_head.")}
    path = tmp_path / "lean.safetensors"
    save_checkpoint(path, tensors, {"format": "pt"})
    stored = StoredWeights(find_entry("vggt-1b"), "source", path, 1, "a test", "a" * 64, "none")
    load(stored, PROCESSOR, torch.float32, networks.VGGT_SMALL)
    with pytest.raises(WeightsError, match="has no weights for the point map: do without, or choose a file"):
        load(stored, PROCESSOR, torch.float32, networks.VGGT_SMALL, heads_for("head"))


def test_the_network_with_its_point_head_says_what_the_whole_one_says(networks: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_checkpoint(path, dict(networks.weights("vggt")), {"format": "pt"})
    stored = StoredWeights(find_entry("vggt-1b"), "source", path, 1, "a test", "a" * 64, "none")
    loaded = load(stored, PROCESSOR, torch.float32, networks.VGGT_SMALL, heads_for("head"))
    images = networks.pictures((1, 2, 3, 28, 42))
    said = loaded.network(images, DEFAULT_CHUNKS, lambda: None)
    whole = networks.make_vggt(heads=("camera", "depth", "point"))(images)
    assert said.points is not None and torch.equal(said.points, whole.points)
    assert said.points_confidence is not None and torch.equal(said.points_confidence, whole.points_confidence)


# --- what postprocessing makes of them


@pytest.fixture(scope="module")
def finished(solved: Reconstruction) -> Reconstruction:
    return postprocess(solved, PostprocessSettings(point_budget=5000))


def same_cloud(first: PointCloud, second: PointCloud) -> bool:
    names = ("position", "color", "confidence", "view")
    return first.spacing == second.spacing and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in names
    )


def test_they_are_thinned_to_the_budget_and_not_gathered_from_depth(
    standin: ModuleType, solved: Reconstruction, finished: Reconstruction
) -> None:
    cloud, given = cloud_of(finished), cloud_of(solved)
    assert 4500 <= len(cloud.position) <= 5000
    assert standin.off_surface(cloud.position).max() < 1e-4
    assert {tuple(point) for point in cloud.position} <= {tuple(point) for point in given.position}
    assert cloud.confidence.min() > 0.05 and np.array_equal(cloud.view, np.sort(cloud.view))
    figures = finished.report["postprocess"]
    assert figures["points_before"] == len(given.position) and figures["points"] == len(cloud.position)
    assert cloud.spacing >= figures["voxel_size"] > given.spacing


def test_the_scene_stands_as_it_does_with_points_from_depth(
    ask: Callable[..., Reconstruction], photos: tuple[Photo, ...], finished: Reconstruction
) -> None:
    other = postprocess(ask(photos, None, points_from="depth"))
    assert finished.scene_from_world is not None and other.scene_from_world is not None
    np.testing.assert_array_equal(finished.scene_from_world, other.scene_from_world)


def test_doing_it_again_changes_nothing_also_after_loading(finished: Reconstruction, tmp_path: Path) -> None:
    settings = PostprocessSettings(point_budget=5000)
    again = postprocess(finished, settings)
    assert same_cloud(cloud_of(again), cloud_of(finished)) and again.report == finished.report
    loaded = Reconstruction.load(finished.save(tmp_path / "capture"))
    again = postprocess(loaded, settings)
    assert same_cloud(cloud_of(again), cloud_of(finished)) and dict(again.report) == dict(finished.report)


def test_a_smaller_budget_and_a_higher_floor_thin_further(finished: Reconstruction) -> None:
    fewer = postprocess(finished, PostprocessSettings(point_budget=500, confidence_floor=0.5))
    cloud = cloud_of(fewer)
    assert 450 <= len(cloud.position) <= 500 and cloud.confidence.min() > 0.5
    assert cloud.spacing > cloud_of(finished).spacing
    none = postprocess(finished, PostprocessSettings(confidence_floor=0.999))
    assert none.points is None and none.report["postprocess"]["points"] == 0
    assert postprocess(none).points is None, "depth takes no place of what was thinned away"


def test_a_budget_for_all_keeps_all_in_their_order(solved: Reconstruction) -> None:
    cloud, given = cloud_of(postprocess(solved)), cloud_of(solved)
    kept = given.confidence > 0.05
    np.testing.assert_array_equal(cloud.position, given.position[kept])
    np.testing.assert_array_equal(cloud.color, given.color[kept])
    assert cloud.spacing == pytest.approx(given.spacing, rel=0.5)
    far = dataclasses.replace(given, position=given.position + 1e6)
    views = tuple(
        dataclasses.replace(view, camera_from_world=_moved(view.camera_from_world, 1e6)) for view in solved.views
    )
    moved = postprocess(solved.replace(points=far, views=views), PostprocessSettings(point_budget=5000))
    np.testing.assert_allclose(
        cloud_of(moved).spacing, cloud_of(postprocess(solved, PostprocessSettings(5000))).spacing, rtol=1e-3
    )


def _moved(camera_from_world: Float, by: float) -> Float:
    """The same camera after the world was moved by so much along each axis."""
    moved = camera_from_world.copy()
    moved[:3, 3] -= camera_from_world[:3, :3] @ np.full(3, by)
    return moved
