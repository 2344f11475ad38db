"""Views added to what was postprocessed: they get what the others have, and nothing else moves."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.postprocess.apply import PostprocessSettings, postprocess
from vggt_addon.postprocess.extend import extend
from vggt_addon.reconstruction import POINTS_GIVEN, PointCloud, Reconstruction

SETTINGS = PostprocessSettings(point_budget=3000, edge_step=0.2)


@pytest.fixture(scope="module")
def whole(parts: Any) -> Reconstruction:
    """Six views, not postprocessed."""
    made = parts.courtyard(6)
    assert isinstance(made, Reconstruction)
    return made


@pytest.fixture(scope="module")
def most(whole: Reconstruction) -> Reconstruction:
    """Five of them, postprocessed."""
    return postprocess(whole.replace(views=whole.views[:5]), SETTINGS)


def test_what_stands_stays_and_the_new_view_is_complete(whole: Reconstruction, most: Reconstruction) -> None:
    made = extend(most, whole.views[5:])
    assert all(one is other for one, other in zip(most.views, made.views, strict=False))
    assert np.array_equal(made.scene_from_world, most.scene_from_world)  # type: ignore[arg-type]
    assert made.capture_id == most.capture_id
    together = postprocess(whole, SETTINGS)
    assert made.points is not None and together.points is not None
    for name in ("relief_depth", "depth_edge"):
        assert np.array_equal(getattr(made.views[5], name), getattr(together.views[5], name)), name
    for name in ("position", "color", "confidence", "view"):
        assert np.array_equal(getattr(made.points, name), getattr(together.points, name)), name
    assert (made.points.view == 5).any()
    figures, all_at_once = made.report["postprocess"], together.report["postprocess"]
    assert figures["settings"] == dataclasses.asdict(SETTINGS)
    for name in ("points", "points_before", "voxel_size", "measured_share", "depth_edge_share"):
        assert figures[name] == all_at_once[name], name


def test_points_that_an_engine_gave_stay_beside_the_new_ones(whole: Reconstruction, most: Reconstruction) -> None:
    assert most.points is not None
    own = most.points.position[:500] + 100.0  # where no depth is
    cloud = PointCloud(own, most.points.color[:500], np.ones(500, np.float32), np.zeros(500, np.int32), 0.01)
    given = postprocess(most.replace(points=cloud, report={POINTS_GIVEN: 500}), PostprocessSettings())
    made = extend(given, whole.views[5:])
    assert made.points is not None
    assert np.array_equal(made.points.position[made.points.view == 0], own)
    assert (made.points.view == 5).sum() > 500 and set(np.unique(made.points.view)) == {0, 5}
    assert made.report[POINTS_GIVEN] > 500
    without = extend(given.replace(points=None), whole.views[5:])
    assert without.points is not None and set(np.unique(without.points.view)) == {5}


@pytest.mark.parametrize("said", [None, 3, {"settings": {"point_budget": -4}}, {"settings": {"edge_step": "wide"}}])
def test_a_report_by_anybody_does_no_harm(whole: Reconstruction, most: Reconstruction, said: Any) -> None:
    made = extend(most.replace(report={"postprocess": said}), whole.views[5:])
    assert made.views[5].relief_depth is not None and made.points is not None


def test_cancel(whole: Reconstruction, most: Reconstruction) -> None:
    with pytest.raises(Cancelled):
        extend(most, whole.views[5:], cancel=lambda: True)
