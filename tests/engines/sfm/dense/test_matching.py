"""ZNCC along a guessed surface."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.matching import Matcher, mean_of_best_two
from vggt_addon.engines.sfm.dense.pictures import Picture, picture
from vggt_addon.engines.sfm.dense.settings import DEFAULTS

Array = NDArray[Any]
INNER = (slice(20, -20), slice(40, -30))


def inverse_depth(scene: Any) -> NDArray[np.float32]:
    return np.asarray(1 / np.maximum(scene.depths[0], 1e-3), dtype=np.float32)


def test_the_true_surface_scores_high_and_others_low(slanted: Any) -> None:
    pictures = [picture(view) for view in slanted.views]
    matcher = Matcher(pictures[0], pictures[1:], DEFAULTS)
    true = inverse_depth(slanted)
    assert np.median(matcher.score(true)[INNER]) > 0.9
    assert np.median(matcher.score(true * np.float32(1.15))[INNER]) < 0.4


def test_exposure_does_not_matter(slanted: Any) -> None:
    pictures = [picture(view) for view in slanted.views]
    darker = [replace(other, grey=other.grey * np.float32(0.6) + np.float32(0.1)) for other in pictures[1:]]
    same = Matcher(pictures[0], pictures[1:], DEFAULTS).score(inverse_depth(slanted))
    dark = Matcher(pictures[0], darker, DEFAULTS).score(inverse_depth(slanted))
    np.testing.assert_allclose(dark[INNER], same[INNER], atol=0.03)


def test_equals_the_definition_at_a_pixel() -> None:
    """With identical cameras the warp is the identity: plain weighted correlation of two pictures."""
    first, second = np.random.default_rng(0).random((2, 15, 15), dtype=np.float32)
    camera = np.array([[20.0, 0, 7], [0, 20, 7], [0, 0, 1]])
    pair = Picture(first, camera, np.eye(4)), Picture(second, camera, np.eye(4))
    score = Matcher(pair[0], [pair[1]], DEFAULTS).score(np.float32(0.5))
    offsets = np.arange(-DEFAULTS.window_radius, DEFAULTS.window_radius + 1)
    weights = np.exp(-(offsets**2) / (2 * DEFAULTS.window_spread**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2
    window = np.s_[7 - DEFAULTS.window_radius : 8 + DEFAULTS.window_radius]
    a, b = first[window, window].astype(float), second[window, window].astype(float)
    a, b = a - (weights * a).sum(), b - (weights * b).sum()
    expected = (weights * a * b).sum() / np.sqrt((weights * a * a).sum() * (weights * b * b).sum())
    assert score[7, 7] == pytest.approx(expected, abs=2e-3)


def test_bare_walls_score_nothing() -> None:
    bare = np.full((20, 20), 0.5, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 0.002, (2, 20, 20)).astype(np.float32)
    camera = np.array([[20.0, 0, 10], [0, 20, 10], [0, 0, 1]])
    first, second = (Picture(bare + one, camera, np.eye(4)) for one in noise)
    assert np.abs(Matcher(first, [second], DEFAULTS).score(np.float32(0.5))).max() < 0.2


def test_off_the_picture_is_unseen(slanted: Any) -> None:
    pictures = [picture(view) for view in slanted.views]
    far_left = pictures[1].camera_from_world.copy()
    far_left[0, 3] += 50
    matcher = Matcher(pictures[0], [replace(pictures[1], camera_from_world=far_left)], DEFAULTS)
    assert (matcher.score(inverse_depth(slanted)) == -1).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_mean_of_best_two(count: int) -> None:
    scores = np.random.default_rng(count).uniform(-1, 1, (count, 6, 7)).astype(np.float32)
    expected = np.sort(scores, axis=0)[-2:].mean(axis=0)
    np.testing.assert_allclose(mean_of_best_two([one.copy() for one in scores]), expected, atol=1e-6)


def test_what_one_neighbour_sees_is_found_but_two_are_preferred() -> None:
    unseen, good, poor = (np.full((1, 1), score, np.float32) for score in (-1, 0.9, -0.999))
    assert mean_of_best_two([unseen.copy(), good.copy(), unseen.copy()])[0, 0] == pytest.approx(0.8)
    assert mean_of_best_two([good.copy(), good.copy(), unseen.copy()])[0, 0] == pytest.approx(0.9)
    assert mean_of_best_two([poor.copy(), good.copy()])[0, 0] < 0  # seen, and different: no excuse
    assert mean_of_best_two([unseen.copy(), unseen.copy()])[0, 0] == -1
