from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.geometry.projection import project
from vggt_addon.reconstruction import PointCloud
from vggt_addon.scene.build import BuildSettings, build
from vggt_addon.scene.points import COLOR
from vggt_addon.scene.root import RADIUS, THRESHOLD, set_slider


def evaluated(cloud: Any) -> Any:
    bpy.context.view_layer.update()
    for item in bpy.context.evaluated_depsgraph_get().object_instances:
        if item.object.type == "POINTCLOUD" and item.object.original == cloud:
            return item.object.data
    return None


def test_the_cloud_holds_what_the_reconstruction_holds(capture: Any) -> None:
    built = build(capture)
    mesh, points = built.points.data, capture.points
    count = len(points.position)
    positions, view, confidence = (np.empty(n, t) for n, t in ((3 * count, "f4"), (count, "i4"), (count, "f4")))
    mesh.attributes["position"].data.foreach_get("vector", positions)
    mesh.attributes["view"].data.foreach_get("value", view)
    mesh.attributes["confidence"].data.foreach_get("value", confidence)
    expected = points.position - np.array(built.root["world_origin"])
    np.testing.assert_array_equal(positions.reshape(-1, 3), expected.astype(np.float32))
    np.testing.assert_array_equal(view, points.view)
    np.testing.assert_array_equal(confidence, points.confidence)
    assert mesh.attributes[COLOR].data_type == "BYTE_COLOR"


def test_the_threshold_is_live(capture: Any) -> None:
    built = build(capture)
    for threshold in (0.0, 0.25, 0.5, 0.99):
        set_slider(built.root, THRESHOLD, threshold)
        shown = evaluated(built.points)
        expected = int((capture.points.confidence >= np.float32(threshold)).sum())
        assert (0 if shown is None else len(shown.points)) == expected


def test_the_radius_is_live_and_starts_from_the_spacing(capture: Any) -> None:
    built = build(capture, settings=BuildSettings(radius_in_spacings=0.5))
    assert evaluated(built.points).points[0].radius == pytest.approx(0.5 * capture.points.spacing)
    set_slider(built.root, RADIUS, 0.125)
    assert evaluated(built.points).points[0].radius == pytest.approx(0.125)


def test_a_photos_pixel_comes_back_through_the_cloud(capture: Any, measures: ModuleType) -> None:
    """Must show: within 2/255, through the whole chain of attribute, nodes, material, view transform and file."""
    everything = capture.points
    for index, view in enumerate(capture.views):
        own = everything.view == index
        fields = (everything.position, everything.color, everything.confidence, everything.view)
        points = PointCloud(*(field[own] for field in fields), spacing=everything.spacing)
        settings = BuildSettings(confidence_threshold=0.0, radius_in_spacings=0.6)
        built = build(capture.replace(points=points), settings=settings)
        picture, shown = measures.render(built.cameras[index], [built.points])
        pixels, _ = project(view.intrinsics, view.camera_from_world, points.position)
        columns, rows = np.floor(pixels).astype(int).T
        seen = shown[rows, columns]
        off = np.abs(picture[rows, columns].astype(int) - points.color)[seen].max(axis=1)
        assert seen.mean() > 0.98
        assert np.mean(off <= 2) > 0.99  # the rest stand behind a neighbour at a silhouette
