"""The second start: what others measured, and the surfaces around."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.guidance import better_start, inverse, splat
from vggt_addon.engines.sfm.dense.matching import Matcher
from vggt_addon.engines.sfm.dense.pictures import Picture, picture
from vggt_addon.engines.sfm.dense.plane_sweep import Guess
from vggt_addon.engines.sfm.dense.records import DepthMap
from vggt_addon.engines.sfm.dense.settings import DEFAULTS
from vggt_addon.errors import Cancelled
from vggt_addon.progress import never

Array = NDArray[Any]
INNER = (slice(20, -20), slice(40, -30))


@pytest.fixture(scope="module")
def scene(render_cards: Callable[..., Any]) -> Any:
    return render_cards(count=3)


def depth_map(depth: Array) -> DepthMap:
    return DepthMap(depth.astype(np.float32), (depth > 0).astype(np.float32))


def test_others_depth_lands_at_the_true_place(scene: Any) -> None:
    pictures = [picture(view) for view in scene.views]
    others = [(a, depth_map(depth)) for a, depth in zip(pictures[1:], scene.depths[1:], strict=True)]
    found = splat(pictures[0], others, never)
    hit = found > 0
    assert hit[INNER].mean() > 0.85
    error = np.abs(found[hit] * scene.depths[0][hit] - 1)
    assert np.median(error) < 0.003 and (error < 0.05).mean() > 0.97


def test_the_nearer_of_two_points_in_a_pixel_wins() -> None:
    camera = np.array([[10.0, 0, 2], [0, 10, 2], [0, 0, 1]])
    own = Picture(np.zeros((5, 5), np.float32), camera, np.eye(4))
    far, near = (depth_map(np.full((5, 5), depth)) for depth in (8.0, 2.0))
    for order in ([far, near], [near, far]):
        np.testing.assert_allclose(splat(own, [(own, one) for one in order], never), 0.5)


def test_a_wrong_guess_is_replaced_and_a_measured_one_is_not(scene: Any) -> None:
    pictures = [picture(view) for view in scene.views]
    true = np.maximum(scene.depths[0], 1e-3)
    matcher = Matcher(pictures[0], pictures[1:], DEFAULTS)
    wrong = Guess((1 / (true * 1.2)).astype(np.float32), 0.01, np.zeros(true.shape, np.float32))
    holes = scene.depths[0].copy()
    holes[40:60, 60:90] = 0
    others = [(a, depth_map(depth)) for a, depth in zip(pictures[1:], scene.depths[1:], strict=True)]
    start = better_start(matcher, wrong, depth_map(holes), others, (3,), DEFAULTS, never)
    np.testing.assert_allclose((start.inverse_depth * true)[holes > 0], 1, atol=1e-5)
    error = np.abs(start.inverse_depth * true - 1)[40:60, 60:90]
    assert (error < 0.02).mean() > 0.8


def test_around_a_hole_both_surfaces_are_tried(scene: Any) -> None:
    """Without help from other photos: pixels at the poster's outline get the poster's depth or the wall's."""
    pictures = [picture(view) for view in scene.views]
    true = np.maximum(scene.depths[0], 1e-3)
    matcher = Matcher(pictures[0], pictures[1:], DEFAULTS)
    poster = scene.labels[0] == 2
    column = int(np.nonzero(poster.any(axis=0))[0][-1])  # the poster's last
    rows = np.nonzero(poster[:, column - 2])[0][3:-3]
    holes = scene.depths[0].copy()
    holes[:, column - 2 : column + 4] = 0
    between = Guess(np.full(true.shape, 1 / 5.0, np.float32), 0.01, np.zeros(true.shape, np.float32))
    start = better_start(matcher, between, depth_map(holes), [], (4,), DEFAULTS, never)
    for place in (column - 2, column + 3):
        assert np.median(np.abs(start.inverse_depth[rows, place] * true[rows, place] - 1)) < 0.05


def test_inverse_keeps_the_unknown() -> None:
    np.testing.assert_array_equal(inverse(np.array([[0, 4.0]], np.float32)), [[0, 0.25]])


def test_cancel(scene: Any) -> None:
    pictures = [picture(view) for view in scene.views]
    with pytest.raises(Cancelled):
        splat(pictures[0], [(pictures[1], depth_map(scene.depths[1]))], lambda: True)
