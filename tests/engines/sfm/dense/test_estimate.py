"""The whole dense stage, on scenes with known depth and on real photos with known cameras."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.estimate import DenseSettings, DenseView, DepthMap, estimate_depth
from vggt_addon.errors import Cancelled
from vggt_addon.geometry.projection import project, scale_pixels

Array = NDArray[Any]


def errors_of(maps: list[DepthMap], truth: list[Array], chosen: list[Array]) -> tuple[Array, float]:
    """Relative depth errors of the kept among the chosen pixels, and the share that is kept."""
    errors, count = [], 0
    for found, true, mask in zip(maps, truth, chosen, strict=True):
        kept = (found.depth > 0) & mask
        errors.append(np.abs(found.depth[kept] / true[kept] - 1))
        count += int(mask.sum())
    joined = np.concatenate(errors)
    return joined, len(joined) / count


def assert_sound(maps: list[DepthMap], views: list[DenseView]) -> None:
    for found, view in zip(maps, views, strict=True):
        assert found.depth.shape == found.confidence.shape == view.color.shape[:2]
        assert found.depth.dtype == found.confidence.dtype == np.float32
        assert np.isfinite(found.depth).all() and (found.depth >= 0).all()
        assert (found.confidence >= 0).all() and (found.confidence <= 1).all()
        np.testing.assert_array_equal(found.confidence == 0, found.depth == 0)


@pytest.fixture(scope="module")
def courtyard_maps(courtyard: Any) -> list[DepthMap]:
    return estimate_depth(courtyard.views, courtyard.tracks)


def test_slanted_ground_wall_and_poster(courtyard: Any, courtyard_maps: list[DepthMap]) -> None:
    assert_sound(courtyard_maps, courtyard.views)
    everywhere = [label >= 0 for label in courtyard.labels]
    errors, kept = errors_of(courtyard_maps, courtyard.depths, everywhere)
    assert kept > 0.88
    assert np.median(errors) < 0.0015
    assert (errors < 0.01).mean() > 0.94 and (errors < 0.03).mean() > 0.985
    for card in range(3):
        errors, kept = errors_of(courtyard_maps, courtyard.depths, [label == card for label in courtyard.labels])
        assert kept > 0.85 and np.median(errors) < 0.003, f"card {card}"


def test_silhouette_is_where_it_should_be(courtyard: Any, courtyard_maps: list[DepthMap]) -> None:
    """Off a band of 3 pixels around the poster's outline, poster and wall are never mistaken for each other."""
    for found, depth, label in zip(courtyard_maps, courtyard.depths, courtyard.labels, strict=True):
        poster = (label == 2).astype(np.uint8)
        band = cv2.dilate(poster, np.ones((7, 7))) - cv2.erode(poster, np.ones((7, 7))) > 0
        near = (cv2.dilate(poster, np.ones((21, 21))) > 0) & ~band & (found.depth > 0) & (depth > 0)
        wrong = np.abs(found.depth[near] / depth[near] - 1) > 0.05
        assert near.sum() > 500 and wrong.mean() < 0.01


def test_bare_wall_stays_unknown(render_cards: Callable[..., Any], card: Callable[..., Any]) -> None:
    bare = card((-5, -4, 2), (10, 0, 0), (0, 7, 0), contrast=0.0)
    poster = card((-0.7, -0.7, 0.0), (1.4, 0, 0.3), (0, 1.3, 0), seed=3)
    scene = render_cards([bare, poster])
    maps = estimate_depth(scene.views, scene.tracks)
    for found, label in zip(maps, scene.labels, strict=True):
        away_from_poster = cv2.dilate((label == 1).astype(np.uint8), np.ones((15, 15))) == 0
        assert (found.depth[away_from_poster] > 0).mean() < 0.01
        assert (found.depth[label == 1] > 0).mean() > 0.6


@pytest.mark.parametrize("count", [2, 3])
def test_few_photos(render_cards: Callable[..., Any], count: int) -> None:
    scene = render_cards(count=count)
    maps = estimate_depth(scene.views, scene.tracks)
    errors, kept = errors_of(maps, scene.depths, [label >= 0 for label in scene.labels])
    assert kept > 0.72 and np.median(errors) < 0.0025 and (errors < 0.02).mean() > 0.97


def test_photos_of_different_size_orientation_and_lens(render_cards: Callable[..., Any]) -> None:
    scene = render_cards(count=4, sizes=((160, 120), (108, 144)))
    views = [
        replace(view, intrinsics=scale_pixels(0.75, 0.75) @ view.intrinsics, color=shrunk(view.color, 0.75))
        if index == 2
        else view
        for index, view in enumerate(scene.views)
    ]
    maps = estimate_depth(views, scene.tracks)
    assert_sound(maps, views)
    assert [found.depth.shape for found in maps] == [(120, 160), (144, 108), (90, 120), (144, 108)]
    for index in (0, 1, 3):
        errors, kept = errors_of([maps[index]], [scene.depths[index]], [scene.labels[index] >= 0])
        assert kept > 0.5 and np.median(errors) < 0.004


def shrunk(color: Array, scale: float) -> Array:
    return np.asarray(cv2.resize(color, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def test_a_photo_without_neighbours_has_no_depth(courtyard: Any) -> None:
    alone = replace(courtyard.views[0], name="alone", track_ids=np.zeros(0, dtype=np.int64))
    maps = estimate_depth([alone, *courtyard.views[1:3]], courtyard.tracks)
    assert not maps[0].depth.any() and not maps[0].confidence.any()
    assert maps[1].depth.any()


def test_nothing_in_nothing_out() -> None:
    assert estimate_depth([], np.zeros((0, 3))) == []


def test_threads_do_not_change_the_result(courtyard: Any, courtyard_maps: list[DepthMap]) -> None:
    alone = estimate_depth(courtyard.views, courtyard.tracks, DenseSettings(threads=1))
    for one, two in zip(alone, courtyard_maps, strict=True):
        np.testing.assert_array_equal(one.depth, two.depth)
        np.testing.assert_array_equal(one.confidence, two.confidence)


def test_a_larger_world_gives_the_same_depth_in_its_unit(courtyard: Any, courtyard_maps: list[DepthMap]) -> None:
    scale = 1e4
    views = []
    for view in courtyard.views:
        camera_from_world = view.camera_from_world.copy()
        camera_from_world[:3, 3] *= scale
        views.append(replace(view, camera_from_world=camera_from_world))
    maps = estimate_depth(views, courtyard.tracks * scale)
    both = [(a.depth > 0) & (b.depth > 0) for a, b in zip(maps, courtyard_maps, strict=True)]
    assert all(mask.sum() > 0.99 * (b.depth > 0).sum() for mask, b in zip(both, courtyard_maps, strict=True))
    for mask, a, b in zip(both, maps, courtyard_maps, strict=True):
        assert np.median(np.abs(a.depth[mask] / (b.depth[mask] * scale) - 1)) < 1e-5


def test_progress_rises_from_0_to_1(courtyard: Any) -> None:
    told: list[float] = []
    estimate_depth(courtyard.views[:3], courtyard.tracks, progress=lambda stage, fraction: told.append(fraction))
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1 and len(set(told)) > 4


def test_cancel_is_answered_within_a_second(courtyard: Any) -> None:
    views = [replace(view, color=cv2.resize(view.color, (640, 480))) for view in courtyard.views]
    views = [replace(view, intrinsics=scale_pixels(4, 4) @ view.intrinsics) for view in views]
    start = time.monotonic()
    asked: list[float] = []

    def cancel() -> bool:
        if time.monotonic() - start > 0.5 and not asked:
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(Cancelled):
        estimate_depth(views, courtyard.tracks, cancel=cancel)
    assert time.monotonic() - asked[0] < 1.5


def fountain(folder: Path, chosen: range, long_side: int) -> tuple[list[DenseView], Array, list[Array]]:
    """Photos with their true cameras; a third of the reference points as tracks, the others (per view) to judge by."""
    reference = np.load(folder / "points_ref.npz")
    points = reference["points"].astype(np.float64)
    as_track = np.random.default_rng(0).random(len(points)) < 1 / 3
    views, judges = [], []
    for camera in json.loads((folder / "cameras_gt.json").read_text())["images"][chosen.start : chosen.stop]:
        color = np.asarray(cv2.imread(str(folder / "images" / camera["name"])))[:, :, ::-1]
        height, width = color.shape[:2]
        size = round(width * long_side / max(width, height)), round(height * long_side / max(width, height))
        small = np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        intrinsics = np.array(camera["K"])
        intrinsics[:2, 2] += 0.5
        intrinsics = scale_pixels(size[0] / width, size[1] / height) @ intrinsics
        seen = reference[f"obs_{Path(camera['name']).stem}"][:, 0].astype(np.int64)
        pose = np.array(camera["cam_from_world"])
        views.append(DenseView(camera["name"], small, intrinsics, pose, seen[as_track[seen]]))
        judges.append(points[seen[~as_track[seen]]])
    return views, points, judges


def test_real_photos_with_known_cameras(shared: Callable[[str], Path]) -> None:
    views, tracks, judges = fountain(shared("datasets/fountain_p11"), range(3, 8), 256)
    maps = estimate_depth(views, tracks)
    assert_sound(maps, views)
    errors, count = [], 0
    for view, found, points in zip(views, maps, judges, strict=True):
        pixels, depth = project(view.intrinsics, view.camera_from_world, points)
        place = np.floor(pixels).astype(int)
        inside = (place >= 0).all(axis=1) & (place < found.depth.shape[::-1]).all(axis=1)
        measured = found.depth[place[inside, 1], place[inside, 0]]
        errors.append(np.abs(measured / depth[inside] - 1)[measured > 0])
        count += len(points)
    joined = np.concatenate(errors)
    assert len(joined) / count > 0.95
    assert np.median(joined) < 0.0015
    assert (joined < 0.01).mean() > 0.975
    assert np.mean([(found.depth > 0).mean() for found in maps]) > 0.77
