"""Choice of neighbours and depth range."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.neighbours import surroundings
from vggt_addon.engines.sfm.dense.records import DenseView
from vggt_addon.engines.sfm.dense.settings import DenseSettings
from vggt_addon.errors import Cancelled

Array = NDArray[Any]
SETTINGS = DenseSettings()
POINTS = np.random.default_rng(0).uniform((-0.5, -0.5, 9.5), (0.5, 0.5, 10.5), (200, 3))


def view_at(x: float, z: float = 0.0, tracks: Array | None = None) -> DenseView:
    camera_from_world = np.eye(4)
    camera_from_world[:3, 3] = -x, 0, -z
    ids = np.arange(len(POINTS)) if tracks is None else tracks
    return DenseView(f"{x}", np.zeros((4, 4, 3), np.uint8), np.eye(3), camera_from_world, ids.astype(np.int64))


def test_the_best_angle_comes_first() -> None:
    one_degree, eight_degrees, forty_degrees = (10 * np.tan(np.radians(angle)) for angle in (1, 8, 40))
    views = [view_at(0), view_at(one_degree), view_at(forty_degrees), view_at(eight_degrees)]
    found = surroundings(views, POINTS, SETTINGS)
    assert found[0] is not None and found[0].neighbours[0] == 3


def test_a_photo_from_much_farther_away_is_worth_less() -> None:
    beside = 10 * np.tan(np.radians(8))
    views = [view_at(0), view_at(4 * beside, z=-30), view_at(-beside)]
    found = surroundings(views, POINTS, SETTINGS)
    assert found[0] is not None and found[0].neighbours == (2, 1)


def test_together_the_neighbours_see_the_whole_photo() -> None:
    left, right = np.arange(0, 120), np.arange(120, 200)
    views = [view_at(0), *(view_at(1.4 + i / 100, tracks=left) for i in range(4)), view_at(-1.4, tracks=right)]
    found = surroundings(views, POINTS, replace(SETTINGS, sweep_neighbours=2, check_neighbours=2))
    assert found[0] is not None and len(found[0].neighbours) == 2 and 5 in found[0].neighbours


def test_depth_range_ignores_stray_points() -> None:
    stray = np.concatenate([POINTS, [[0, 0, 0.01], [0, 0, 5000.0]]])
    views = [view_at(x, tracks=np.arange(len(stray))) for x in (0, 1.4)]
    found = surroundings(views, stray, SETTINGS)
    assert found[0] is not None
    assert 0.5 * 9.5 < found[0].nearest < 9.5 and 10.5 < found[0].farthest < 2.5 * 10.5


@pytest.mark.parametrize("shared", [0, SETTINGS.minimum_shared_points - 1])
def test_without_shared_points_there_is_no_neighbour(shared: int) -> None:
    views = [view_at(0, tracks=np.arange(0, 100)), view_at(1.4, tracks=np.arange(100 - shared, 200))]
    assert surroundings(views, POINTS, SETTINGS) == [None, None]


def test_points_behind_the_camera_do_not_count() -> None:
    views = [view_at(x, z=20) for x in (0, 1.4)]
    assert surroundings(views, POINTS, SETTINGS) == [None, None]


def test_cancel() -> None:
    with pytest.raises(Cancelled):
        surroundings([view_at(0), view_at(1)], POINTS, SETTINGS, cancel=lambda: True)
