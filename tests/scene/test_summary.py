"""The figures on a capture's root: right, short, carried by the .blend, and never a traceback."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.reconstruction import LeftOut, SolveReport
from vggt_addon.scene.build import build
from vggt_addon.scene.captures import captures, rebuild_steps
from vggt_addon.scene.summary import CREATED, LONGEST, SUMMARY, read_summary, write_summary


@pytest.fixture
def told(capture: Any) -> Any:
    """The capture with everything that can be told."""
    wide = dataclasses.replace(
        capture.views[0],
        intrinsics=np.array([[120.0, 0, 120], [0, 120.0, 80], [0, 0, 1]]),
        report=SolveReport(focal_uncertain=True),
    )
    return capture.replace(
        views=(wide, *capture.views[1:]),
        left_out=(LeftOut("blurred.jpg", "Too blurred."), LeftOut("caf\udce9.jpg", "No overlap.")),
        warnings=("The floor is not level.",),
        report={"reprojection_error": 0.75},
    )


def test_every_figure(told: Any) -> None:
    root = build(told).root
    summary = read_summary(root)
    assert summary is not None
    assert (summary.engine, summary.weights, summary.licence) == ("synthetic", "none", "CC0")
    assert (summary.photos_placed, summary.photos_left_out) == (4, 2)
    assert summary.left_out == (("blurred.jpg", "Too blurred."), ("caf?.jpg", "No overlap."))
    assert summary.warnings == ("The floor is not level.",)
    assert summary.points == len(told.points.position)
    assert summary.reprojection_error == 0.75
    assert summary.focal_range == pytest.approx((18.0, 39.6))
    assert summary.focal_range_pixels == pytest.approx((120.0, 264.0))
    assert summary.focal_uncertain
    assert summary.created.endswith("+00:00")


def test_what_an_engine_does_not_tell(capture: Any) -> None:
    for report in ({}, {"reprojection_error": float("nan")}, {"reprojection_error": "0.5"}):
        root: dict[str, Any] = {}
        write_summary(root, capture.replace(views=(), points=None, weights=None, report=report))
        summary = read_summary(root)
        assert summary is not None
        assert (summary.weights, summary.licence, summary.points) == ("", "", 0)
        assert summary.reprojection_error is summary.focal_range is summary.focal_range_pixels is None


def test_long_lists_are_cut_and_counted(capture: Any) -> None:
    left_out = tuple(LeftOut("\U0001f34c" * 200, "\n" * 5000) for _ in range(3000))
    root: dict[str, Any] = {}
    write_summary(root, capture.replace(left_out=left_out, warnings=("\x01" * 10_000,) * 500))
    assert len(root[SUMMARY].encode()) <= LONGEST
    summary = read_summary(root)
    assert summary is not None and summary.photos_left_out == 3000 and 0 < len(summary.left_out) <= 100


def test_it_comes_with_the_file_and_with_an_append(told: Any, tmp_path: Path) -> None:
    root = build(told).root
    expected, name = read_summary(root), root.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert read_summary(bpy.data.objects[name]) == expected
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "scene.blend")) as (_, appended):
        appended.collections = [name]
    bpy.context.scene.collection.children.link(appended.collections[0])
    (root,) = captures(bpy.context.scene)
    assert read_summary(root) == expected


def test_a_rebuild_brings_its_own(told: Any) -> None:
    root = build(told).root
    for _ in rebuild_steps(root, told.replace(left_out=())):
        pass
    summary = read_summary(root)
    assert summary is not None and summary.photos_left_out == 0


CHANGES: list[Any] = [
    {"engine": 3},
    {"points": -1},
    {"points": True},
    {"points": 1e3},
    {"left_out": [["a"]]},
    {"left_out": [["a", 1]]},
    {"left_out": [["a", "b"]] * 1000},
    {"left_out": {"a": "b"}},
    {"warnings": "text"},
    {"warnings": ["x" * 1000]},
    {"warnings": ["\ud800"]},
    {"focal_range": [1.0]},
    {"focal_range": [2.0, 1.0]},
    {"focal_range": [None, 1.0]},
    {"focal_range": 7},
    {"reprojection_error": "1"},
    {"reprojection_error": -1.0},
    {"created": "2020-01-01"},
    {"new": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_one_wrong_field_and_it_is_no_summary(capture: Any, change: dict[str, Any]) -> None:
    root: dict[str, Any] = {}
    write_summary(root, capture)
    assert read_summary(root) is not None
    root[SUMMARY] = json.dumps({**json.loads(root[SUMMARY]), **change})
    assert read_summary(root) is None


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "null", "NaN", "{}", "[" * 50_000, '{"a": 1e999}', "x" * 10_000_000, 7, b"x"],
    ids=str,
)
def test_what_does_not_read_as_a_summary_is_none(capture: Any, text: Any) -> None:
    root: dict[str, Any] = {}
    write_summary(root, capture)
    root[SUMMARY] = text
    assert read_summary(root) is None


@pytest.mark.parametrize("created", ["yesterday", "", 5, "2" * 1000, None])
def test_a_wrong_time_is_none(capture: Any, created: Any) -> None:
    root: dict[str, Any] = {}
    write_summary(root, capture)
    root[CREATED] = created
    assert read_summary(root) is None


def test_a_property_of_another_kind_in_a_real_file(capture: Any) -> None:
    root = build(capture).root
    for damaged in (7, [1.0, 2.0], {"a": 1}, b"bytes"):
        root[SUMMARY] = damaged
        assert read_summary(root) is None
    del root[SUMMARY]
    assert read_summary(root) is None
