import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.geometry.projection import transform
from vggt_addon.postprocess.apply import PostprocessSettings, postprocess
from vggt_addon.reconstruction import Reconstruction


def same(first: Any, second: Any) -> bool:
    """Equal field by field, arrays bit by bit."""
    if dataclasses.is_dataclass(first):
        return type(first) is type(second) and all(
            same(getattr(first, field.name), getattr(second, field.name)) for field in dataclasses.fields(first)
        )
    if isinstance(first, np.ndarray):
        return bool(first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes())
    if isinstance(first, tuple):
        return len(first) == len(second) and all(same(one, other) for one, other in zip(first, second, strict=True))
    return bool(first == second)


@pytest.fixture(scope="module")
def before(parts: Any) -> Reconstruction:
    result = parts.courtyard(6)
    assert isinstance(result, Reconstruction)
    return result


@pytest.fixture(scope="module")
def after(before: Reconstruction) -> Reconstruction:
    return postprocess(before)


def test_everything_that_a_scene_needs_is_there(after: Reconstruction) -> None:
    assert after.points is not None and after.scene_from_world is not None
    for view in after.views:
        assert view.depth is not None and view.relief_depth is not None and view.depth_edge is not None
        assert view.relief_depth[view.depth > 0].tobytes() == view.depth[view.depth > 0].tobytes()
        assert 0 < view.depth_edge.mean() < 0.15


def test_the_scene_stands_on_its_ground(before: Reconstruction, after: Reconstruction) -> None:
    """The world of the courtyard is upright already, so the rotation may only turn about z."""
    assert after.points is not None and after.scene_from_world is not None
    up = after.scene_from_world[:3, :3] @ [0, 0, 1]
    assert np.degrees(np.arccos(up[2] / np.linalg.norm(up))) < 0.1
    figures = after.report["postprocess"]
    assert figures["up_evidence"] == "ground plane" and figures["floor"] == "ground plane"
    ground = after.points.position[after.points.position[:, 2] < 1e-4]
    np.testing.assert_allclose(transform(after.scene_from_world, ground)[:, 2], 0, atol=0.01)


def test_nothing_measured_changes(before: Reconstruction, after: Reconstruction) -> None:
    made = ("relief_depth", "depth_edge")
    for old, new in zip(before.views, after.views, strict=True):
        for field in dataclasses.fields(old):
            assert field.name in made or same(getattr(old, field.name), getattr(new, field.name))
    assert after.capture_id == before.capture_id and after.report["engine"] == {"seconds": 1.5}
    assert before.views[0].relief_depth is None and "postprocess" not in before.report


def test_doing_it_twice_changes_nothing(after: Reconstruction) -> None:
    assert same(postprocess(after), after)


def test_other_settings_on_a_result_are_as_on_the_original(before: Reconstruction, after: Reconstruction) -> None:
    settings = PostprocessSettings(point_budget=500, confidence_floor=0.6, edge_step=0.1, extent=2.0, seed=4)
    again = postprocess(after, settings)
    assert same(again, postprocess(before, settings))
    assert again.points is not None and 450 <= len(again.points.position) <= 500
    assert again.report["postprocess"]["settings"]["point_budget"] == 500


def test_the_scene_stays_where_it_is_when_its_points_are_filtered_anew(
    before: Reconstruction, after: Reconstruction
) -> None:
    again = postprocess(before, PostprocessSettings(point_budget=500, confidence_floor=0.6, edge_step=0.1))
    assert same(again.scene_from_world, after.scene_from_world)


def test_it_is_saved_and_loaded_bit_for_bit(before: Reconstruction, tmp_path: Path) -> None:
    views = []
    for view in before.views:
        photo = tmp_path / view.name
        photo.write_bytes(view.name.encode())
        views.append(dataclasses.replace(view, original=photo, photo=photo))
    result = postprocess(before.replace(views=tuple(views)))
    loaded = Reconstruction.load(result.save(tmp_path / "capture"))
    assert same(loaded, result)
    assert same(postprocess(loaded), result)


def test_a_view_without_depth_stays_without_relief(before: Reconstruction) -> None:
    bare = dataclasses.replace(before.views[2], depth=None, confidence=None, color=None)
    result = postprocess(before.replace(views=(*before.views[:2], bare)))
    assert result.views[2].relief_depth is None and result.points is not None
    assert set(result.points.view.tolist()) == {0, 1}


def test_a_view_with_nothing_measured_becomes_a_plane_at_the_others_depth(before: Reconstruction) -> None:
    first = before.views[0]
    assert first.depth is not None and first.confidence is not None
    empty = dataclasses.replace(
        first, name="empty.jpg", depth=np.zeros_like(first.depth), confidence=np.zeros_like(first.confidence)
    )
    result = postprocess(before.replace(views=(first, empty)))
    relief = result.views[1].relief_depth
    assert relief is not None and relief.min() == relief.max() == np.median(first.depth[first.depth > 0])
    assert result.views[1].depth_edge is not None and not result.views[1].depth_edge.any()


def test_cameras_alone_are_placed(before: Reconstruction) -> None:
    bare = tuple(dataclasses.replace(view, depth=None, confidence=None, color=None) for view in before.views)
    result = postprocess(before.replace(views=bare))
    assert result.points is None and result.scene_from_world is not None
    assert result.report["postprocess"]["points"] == 0


def test_no_views_is_no_work() -> None:
    nothing = Reconstruction((), "test")
    assert postprocess(nothing) is nothing


def test_progress_never_falls_and_cancel_is_heard(before: Reconstruction) -> None:
    told: list[float] = []
    postprocess(before, progress=lambda _, share: told.append(share))
    assert told == sorted(told) and told[0] >= 0 and told[-1] == 1.0
    for patience in (0, 3, 7):
        answers = [False] * patience + [True]
        with pytest.raises(Cancelled):
            postprocess(before, cancel=iter(answers).__next__)


@pytest.mark.parametrize("wrong", [{"point_budget": 0}, {"extent": 0.0}, {"edge_step": -1.0}, {"extent": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="positive"):
        PostprocessSettings(**wrong)
