"""The search close to the surface that was found."""

from typing import Any

import numpy as np
import pytest

from vggt_addon.engines.sfm.dense.matching import Matcher
from vggt_addon.engines.sfm.dense.plane_sweep import Guess, sweep
from vggt_addon.engines.sfm.dense.refinement import enlarged, refine, smooth
from vggt_addon.engines.sfm.dense.settings import DEFAULTS
from vggt_addon.errors import Cancelled
from vggt_addon.progress import never

INNER = (slice(12, -12), slice(25, -20))


def test_refinement_finds_the_surface_better_than_the_sweep(slanted: Any, slanted_matcher: Matcher) -> None:
    true = slanted.depths[0][INNER]
    first = sweep(slanted_matcher, 2.0, 9.0, DEFAULTS, never)
    rough = np.abs(1 / first.inverse_depth[INNER] / true - 1)
    assert np.median(rough) < 0.02 and np.median(first.score[INNER]) > 0.7
    second = refine(slanted_matcher, first, DEFAULTS, never)
    fine = np.abs(1 / second.inverse_depth[INNER] / true - 1)
    assert np.median(fine) < 0.6 * np.median(rough) and np.median(fine) < 0.004
    assert np.median(second.score[INNER]) > np.median(first.score[INNER])


def test_refinement_finds_a_surface_two_planes_away(slanted: Any, slanted_matcher: Matcher) -> None:
    true = (1 / np.maximum(slanted.depths[0], 1e-3)).astype(np.float32)
    step = 0.01
    away = 0.9 * DEFAULTS.refine_steps * DEFAULTS.refine_step * step
    found = refine(slanted_matcher, Guess(true + np.float32(away), step, np.zeros_like(true)), DEFAULTS, never)
    assert np.median(np.abs(found.inverse_depth / true - 1)[INNER]) < 0.005


def test_smoothing_keeps_jumps_and_removes_speckles() -> None:
    values = np.full((30, 30), 0.2, np.float32)
    values[:, 15:] = 0.5
    values[8, 8] = 0.4
    np.testing.assert_allclose(
        smooth(values, 0.01), np.where(np.arange(30) < 15, 0.2, 0.5)[None].repeat(30, 0), atol=1e-3
    )


def test_enlarging_doubles_the_picture() -> None:
    rows, columns = np.mgrid[0:20, 0:30].astype(np.float32)
    guess = Guess(0.1 + 0.01 * columns + 0.02 * rows, 0.01, np.ones((20, 30), np.float32))
    large = enlarged(guess, (40, 60))
    assert large.inverse_depth.shape == large.score.shape == (40, 60)
    assert large.inverse_depth[21, 31] == pytest.approx(0.1 + 0.01 * 15.25 + 0.02 * 10.25, abs=1e-5)


def test_cancel(slanted_matcher: Matcher) -> None:
    flat = np.full((120, 160), 0.25, np.float32)
    with pytest.raises(Cancelled):
        refine(slanted_matcher, Guess(flat, 0.01, flat), DEFAULTS, lambda: True)
