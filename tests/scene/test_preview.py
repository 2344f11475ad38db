from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

from vggt_addon.scene.build import BuildSettings, build
from vggt_addon.scene.datablocks import KINDS
from vggt_addon.scene.preview import BACKGROUND, render_overlay, render_preview


def everything() -> dict[str, list[str]]:
    return {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in KINDS}


def share(picture: np.ndarray, color: tuple[int, int, int], tolerance: int = 12) -> float:
    return float((np.abs(picture.astype(int) - color).max(axis=2) <= tolerance).mean())


def test_the_preview_shows_wires_pictures_and_surfaces(capture: Any, measures: ModuleType, tmp_path: Path) -> None:
    built = build(capture, settings=BuildSettings(confidence_threshold=0.0))
    path = render_preview(built, tmp_path / "deep" / "preview.png", width=320, samples=2)
    picture = measures.read(path)
    assert picture.shape == (200, 320, 3)
    ground = tuple(int(255 * (1.055 * value ** (1 / 2.4) - 0.055)) for value in BACKGROUND)
    assert 0.1 < share(picture, ground, 3) < 0.8  # room around the capture, and the capture
    assert share(picture, (255, 148, 49)) > 0.002  # orange wires
    assert share(picture, (89, 211, 255)) > 0.0005  # the reference camera's blue ones
    colorful = np.ptp(picture.astype(int), axis=2) > 60
    assert colorful.mean() > 0.1


def test_pictures_leave_the_scene_as_it_was(capture: Any, scene: Any, tmp_path: Path) -> None:
    built, render = build(capture), scene.render
    before, settings = everything(), (scene.camera, render.engine, render.filepath, render.resolution_x)
    render_preview(built, tmp_path / "preview.png", width=64, samples=1)
    render_overlay(built, "photo_0.png", tmp_path / "overlay.png", width=96, samples=1)
    assert everything() == before
    assert (scene.camera, render.engine, render.filepath, render.resolution_x) == settings
    assert [child.name for child in scene.collection.children] == [built.collection.name]


def test_the_same_capture_gives_the_same_picture(capture: Any, tmp_path: Path) -> None:
    built = build(capture)
    first = render_preview(built, tmp_path / "1.png", width=96, samples=2)
    second = render_preview(built, tmp_path / "2.png", width=96, samples=2)
    assert first.read_bytes() == second.read_bytes()


def test_the_overlay_is_the_photo_beside_the_scene(capture: Any, measures: ModuleType, tmp_path: Path) -> None:
    built = build(capture, settings=BuildSettings(confidence_threshold=0.0, cut_depth_edges=False, points=False))
    for view in capture.views[:2]:
        path = render_overlay(built, view.name, tmp_path / "overlay.png", width=2 * view.width, samples=4)
        picture, photo = measures.read(path), measures.read(view.photo)
        assert picture.shape == (view.height, 2 * view.width + 6, 3)
        np.testing.assert_array_equal(picture[:, : view.width], photo)
        everywhere = np.ones(photo.shape[:2], bool)
        right = picture[:, -view.width :]
        assert measures.psnr(right, photo, everywhere) > 18  # all reliefs at once, filtered: only about the photo
        assert measures.shift(photo, right, everywhere) < 0.3


def test_an_overlay_is_reduced_to_about_the_width(capture: Any, measures: ModuleType, tmp_path: Path) -> None:
    built = build(capture)
    path = render_overlay(built, "photo_2.png", tmp_path / "overlay.png", width=180, samples=1)
    assert measures.read(path).shape == (90, 186, 3)


def test_an_unknown_photo_is_refused(capture: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        render_overlay(build(capture), "nobody.png", tmp_path / "overlay.png")


def test_points_alone_and_cameras_alone_make_a_picture(capture: Any, measures: ModuleType, tmp_path: Path) -> None:
    for settings in (BuildSettings(reliefs=False), BuildSettings(points=False, reliefs=False)):
        path = render_preview(build(capture, settings=settings), tmp_path / "preview.png", width=96, samples=1)
        assert measures.read(path).std() > 5
