"""The sweep over the whole depth range."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vggt_addon.engines.sfm.dense.matching import Matcher
from vggt_addon.engines.sfm.dense.plane_sweep import planes, sweep
from vggt_addon.engines.sfm.dense.settings import DEFAULTS
from vggt_addon.errors import Cancelled
from vggt_addon.progress import never

INNER = (slice(12, -12), slice(25, -20))


def test_planes_are_a_pixel_apart_and_span_the_range(slanted_matcher: Matcher) -> None:
    settings = replace(DEFAULTS, minimum_planes=2)
    found = planes(slanted_matcher, 2.0, 9.0, settings)
    assert (1 / found[-1], 1 / found[0]) == pytest.approx((2, 9))
    np.testing.assert_allclose(np.diff(found), found[1] - found[0])
    motions = []
    for to in slanted_matcher.transfers:
        (x, y, _), (next_x, next_y, _) = (to(np.float32(inverse_depth)) for inverse_depth in found[:2])
        motions.append(np.hypot(next_x - x, next_y - y)[60, 80])
    assert 0.8 < np.median(motions) < 1.25


def test_the_number_of_planes_is_bounded(slanted_matcher: Matcher) -> None:
    assert len(planes(slanted_matcher, 3.9, 4.0, DEFAULTS)) == DEFAULTS.minimum_planes
    assert len(planes(slanted_matcher, 0.01, 1e6, DEFAULTS)) == DEFAULTS.maximum_planes


def test_sweep_finds_the_surface(slanted: Any, slanted_matcher: Matcher) -> None:
    found = sweep(slanted_matcher, 2.0, 9.0, DEFAULTS, never)
    error = np.abs(1 / found.inverse_depth[INNER] / slanted.depths[0][INNER] - 1)
    assert np.median(error) < 0.02 and np.median(found.score[INNER]) > 0.7


def test_cancel(slanted_matcher: Matcher) -> None:
    with pytest.raises(Cancelled):
        sweep(slanted_matcher, 2.0, 9.0, DEFAULTS, lambda: True)
