import dataclasses
from typing import Any

import numpy as np
import pytest

from vggt_addon.geometry.projection import camera_center, transform
from vggt_addon.reconstruction import LARGEST, Reconstruction
from vggt_addon.scene.placement import place


def test_the_origin_is_the_median_of_cameras_and_points(capture: Any) -> None:
    centers = [camera_center(view.camera_from_world) for view in capture.views]
    expected = np.median(np.concatenate([centers, capture.points.position]), axis=0)
    np.testing.assert_array_equal(place(capture).world_origin, expected)


def test_the_root_times_local_is_scene_from_world(capture: Any) -> None:
    placement = place(capture)
    world = capture.points.position[::50]
    expected = transform(capture.scene_from_world, world)
    found = transform(placement.scene_from_local, world - placement.world_origin)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert placement.scale == pytest.approx(0.5)


def test_without_scene_from_world_the_origin_stands_at_blenders(capture: Any) -> None:
    placement = place(capture.replace(scene_from_world=None))
    np.testing.assert_array_equal(placement.scene_from_local, np.eye(4))


def test_local_keeps_its_digits_a_million_units_away() -> None:
    origin = np.array([1e6, -2e6, 3e6])
    placement = dataclasses.replace(place(_empty()), world_origin=origin)
    near = np.random.default_rng(0).normal(size=(300_000, 3))
    local = placement.local(origin + near)
    assert local.dtype == np.float32
    np.testing.assert_allclose(local, near, atol=1e-6)


def test_a_capture_without_points_stands_by_its_depth(capture: Any) -> None:
    with_points, without = place(capture), place(capture.replace(points=None))
    assert np.linalg.norm(with_points.world_origin - without.world_origin) < with_points.distance
    assert without.distance == pytest.approx(with_points.distance, rel=0.5)


def test_nothing_seen_at_all_still_has_a_size() -> None:
    placement = place(_empty())
    assert placement.distance == 1.0
    np.testing.assert_array_equal(placement.world_origin, 0)


def test_an_outlier_moves_reach_and_not_distance(capture: Any) -> None:
    points = capture.points
    position = points.position.copy()
    position[5] += 1e5
    far = place(capture.replace(points=dataclasses.replace(points, position=position)))
    near = place(capture)
    assert far.distance == pytest.approx(near.distance, rel=1e-2)
    assert far.reach > 1e5 > near.reach


def _empty() -> Any:
    return Reconstruction(views=(), engine="synthetic")


def test_the_farthest_that_a_capture_may_hold_can_be_placed(capture: Any) -> None:
    far = 0.99 * LARGEST / np.abs(capture.points.position).max()
    points = dataclasses.replace(capture.points, position=capture.points.position * far)
    assert np.isfinite(np.float32(place(capture.replace(points=points)).reach))
    with pytest.raises(ValueError, match="beyond any scene"):
        dataclasses.replace(capture.points, position=capture.points.position * (2 * far))
