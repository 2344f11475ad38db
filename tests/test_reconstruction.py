"""The record itself: what it holds, what it refuses, and that nobody can change it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vggt_addon.reconstruction import PointCloud, Reconstruction, View


def a_view(**changes: Any) -> View:
    """A view of 40 x 30 pixels with a 4 x 3 depth grid."""
    fields: dict[str, Any] = {
        "name": "a.jpg",
        "identity": "0" * 64,
        "original": Path("a.jpg"),
        "photo": Path("a.jpg"),
        "width": 40,
        "height": 30,
        "intrinsics": np.array([[50.0, 0, 20], [0, 50, 15], [0, 0, 1]]),
        "camera_from_world": np.eye(4),
        "photo_from_grid": np.diag([10.0, 10.0, 1.0]),
        "depth": np.full((3, 4), 2, np.float32),
        "confidence": np.ones((3, 4), np.float32),
    }
    return View(**{**fields, **changes})


def some_points(count: int = 2, **changes: Any) -> PointCloud:
    fields: dict[str, Any] = {
        "position": np.zeros((count, 3)),
        "color": np.zeros((count, 3), np.uint8),
        "confidence": np.ones(count, np.float32),
        "view": np.zeros(count, np.int32),
        "spacing": 0.1,
    }
    return PointCloud(**{**fields, **changes})


def test_the_arrays_of_a_view_cannot_be_written_to() -> None:
    view = a_view()
    assert view.depth is not None
    with pytest.raises(ValueError, match="read-only"):
        view.depth[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.width = 3  # type: ignore[misc]


def test_the_callers_own_array_stays_writeable() -> None:
    depth = np.full((3, 4), 2, np.float32)
    a_view(depth=depth)
    depth[0, 0] = 1
    assert depth.flags.writeable


def test_a_view_without_depth_needs_no_grid() -> None:
    view = a_view(depth=None, confidence=None, photo_from_grid=None)
    assert view.depth is None and view.photo_from_grid is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"width": 0}, "photo of 0 x 30"),
        ({"intrinsics": np.eye(3, dtype=np.float32)}, "intrinsics is float32"),
        ({"intrinsics": np.eye(4)}, "shape"),
        ({"intrinsics": np.diag([-50.0, 50, 1])}, "focal length"),
        ({"intrinsics": np.array([[50.0, 0, 20], [0, 50, 15], [0, 0, 2]])}, "last row"),
        ({"intrinsics": np.diag([np.nan, 50, 1])}, "not finite"),
        ({"camera_from_world": np.diag([2.0, 2, 2, 1])}, "not rigid"),
        ({"camera_from_world": np.diag([1.0, 1, -1, 1])}, "not rigid"),
        ({"camera_from_world": np.diag([1.0, 1, 1, 3])}, "last row"),
        ({"depth": np.full((3, 4), 2.0)}, "depth is float64"),
        ({"depth": np.full((3, 4), np.inf, np.float32)}, "not finite"),
        ({"depth": np.full((3, 4), -1, np.float32)}, "negative"),
        ({"depth": np.zeros((0, 4), np.float32), "confidence": np.zeros((0, 4), np.float32)}, "empty"),
        ({"confidence": np.ones((4, 3), np.float32)}, "confidence has shape"),
        ({"confidence": np.full((3, 4), 1.5, np.float32)}, "leaves"),
        ({"confidence": None}, "needs photo_from_grid and confidence"),
        ({"photo_from_grid": None}, "needs photo_from_grid and confidence"),
        ({"photo_from_grid": np.diag([10.0, 0, 1])}, "flattens"),
        ({"photo_from_grid": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])}, "flattens"),
        ({"color": np.zeros((3, 4), np.uint8)}, "color has shape"),
        ({"relief_depth": np.zeros((3, 4), np.float32)}, "holes"),
        ({"depth_edge": np.zeros((3, 4), bool)}, "depth_edge has shape"),
        ({"depth": None, "relief_depth": np.ones((3, 4), np.float32)}, "without depth"),
    ],
)
def test_a_view_refuses_what_breaks_the_conventions(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        a_view(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"position": np.zeros((2, 3), np.float32)},
        {"position": np.full((2, 3), np.nan)},
        {"color": np.zeros((3, 3), np.uint8)},
        {"confidence": np.ones(3, np.float32)},
        {"view": np.zeros(2, np.int64)},
        {"spacing": float("nan")},
        {"spacing": -1.0},
    ],
)
def test_points_refuse_what_breaks_the_conventions(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        some_points(**changes)


@pytest.mark.parametrize("view", [-1, 1])
def test_a_point_names_a_view_that_exists(view: int) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        Reconstruction((a_view(),), "sfm", points=some_points(view=np.array([0, view], np.int32)))


def test_two_views_differ_in_name() -> None:
    with pytest.raises(ValueError, match="same name"):
        Reconstruction((a_view(), a_view()), "sfm")


def test_the_reference_is_a_view() -> None:
    with pytest.raises(ValueError, match="reference"):
        Reconstruction((a_view(),), "sfm", reference=1)


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((4, 4)),
        np.diag([1.0, 1, -1, 1]),
        np.diag([1.0, 1, 1, 2]),
        np.eye(3),
        np.diag([1.0, 1, 2, 1]),
        np.eye(4) + 0.1 * np.eye(4, k=1),
    ],
)
def test_the_scene_is_a_similarity_of_the_world(matrix: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueError):
        Reconstruction((a_view(),), "sfm", scene_from_world=matrix)


def test_every_capture_has_an_identity_of_its_own() -> None:
    first, second = Reconstruction((a_view(),), "sfm"), Reconstruction((a_view(),), "sfm")
    assert first.capture_id != second.capture_id
    assert first.replace(engine="vggt").capture_id == first.capture_id
