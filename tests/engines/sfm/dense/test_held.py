"""Photos whose depth is known: they stay, and help to measure another."""

from typing import Any

import numpy as np

from vggt_addon.engines.sfm.dense.estimate import DepthMap, estimate_depth
from vggt_addon.engines.sfm.dense.held import as_guess, at_size
from vggt_addon.engines.sfm.dense.settings import DEFAULTS


def _true(depth: Any) -> DepthMap:
    return DepthMap(depth.astype(np.float32), (depth > 0).astype(np.float32))


def test_held_depth_stays_and_measures_another_photo(courtyard: Any) -> None:
    held = {index: _true(courtyard.depths[index]) for index in (0, 1, 3, 4)}
    made = estimate_depth(courtyard.views, courtyard.tracks, held=held)
    for index, known in held.items():
        assert made[index].depth is known.depth and made[index].confidence is known.confidence
    depth, truth = made[2].depth, courtyard.depths[2]
    both = (depth > 0) & (truth > 0)
    assert both.mean() > 0.6
    assert np.median(np.abs(depth[both] / truth[both] - 1)) < 0.003


def test_what_is_not_known_of_held_depth_says_nothing(courtyard: Any) -> None:
    """Neither agrees nor contradicts: without any depth of the others nothing is confirmed."""
    unknown = DepthMap(np.zeros((120, 160), np.float32), np.zeros((120, 160), np.float32))
    made = estimate_depth(courtyard.views, courtyard.tracks, held=dict.fromkeys((0, 1, 3, 4), unknown))
    assert not made[2].depth.any()
    few = np.where(np.arange(160) < 80, courtyard.depths[1], 0)
    assert estimate_depth(courtyard.views, courtyard.tracks, held={1: _true(few)})[1].depth[0, 120] == 0


def test_a_guess_of_held_depth_is_that_depth() -> None:
    depth = np.array([[2.0, 0.0], [4.0, 5.0]], np.float32)
    held = DepthMap(depth, np.array([[1.0, 0.0], [0.5, 0.0]], np.float32))
    guess = as_guess(held, DEFAULTS)
    assert guess is not None
    np.testing.assert_allclose(guess.inverse_depth[depth > 0], 1 / depth[depth > 0])
    assert 0 < guess.inverse_depth[0, 1] < 0.001
    np.testing.assert_allclose(guess.score, [[DEFAULTS.full_score, 0], [0.45, DEFAULTS.minimum_score]], atol=1e-6)
    assert as_guess(DepthMap(depth * 0, depth * 0), DEFAULTS) is None


def test_a_smaller_grid_has_no_depth_that_was_not_measured() -> None:
    depth = np.random.default_rng(0).choice([0.0, 2.0, 5.0], (31, 45)).astype(np.float32)
    smaller = at_size(DepthMap(depth, depth / 5), (16, 22))
    assert smaller.depth.shape == (16, 22) and set(np.unique(smaller.depth)) == {0, 2, 5}
    np.testing.assert_array_equal(smaller.confidence, smaller.depth / 5)
