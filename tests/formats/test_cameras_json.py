import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vggt_addon.errors import FormatError, OutputExistsError, UserError
from vggt_addon.formats.cameras_json import full_frame_depth, write_cameras_json
from vggt_addon.geometry.projection import project
from vggt_addon.reconstruction import Reconstruction, View

WIDTH, HEIGHT = 640, 480


def a_view(name: str = "a.jpg", **changes: Any) -> View:
    rng = np.random.default_rng(len(name))
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = cv2.Rodrigues(0.2 * rng.normal(size=3))[0]
    camera_from_world[:3, 3] = rng.normal(size=3)
    depth = rng.uniform(2, 2.02, (48, 64)).astype(np.float32)
    depth[10:20, 5:30] = 0
    fields: dict[str, Any] = {
        "name": name,
        "identity": name,
        "original": Path(name),
        "photo": Path(name),
        "width": WIDTH,
        "height": HEIGHT,
        "intrinsics": np.array([[700.5, 0, 320.25], [0, 700.5, 239.75], [0, 0, 1]]),
        "camera_from_world": camera_from_world,
        "photo_from_grid": np.diag([10.0, 10.0, 1.0]),
        "depth": depth,
        "confidence": (depth > 0).astype(np.float32),
    }
    return View(**{**fields, **changes})


def bare_view(name: str) -> View:
    return a_view(name, depth=None, confidence=None, photo_from_grid=None)


def read(path: Path) -> list[dict[str, Any]]:
    images = json.loads(path.read_text(encoding="utf-8"))["images"]
    assert isinstance(images, list)
    return images


def test_a_reader_with_pixel_centres_at_integers_projects_the_same(tmp_path: Path) -> None:
    view = a_view("Straße 写真.jpg")
    path = write_cameras_json(Reconstruction((view,), "sfm"), tmp_path / "new folder" / "cameras.json")
    (image,) = read(path)
    assert (image["name"], image["width"], image["height"]) == ("Straße 写真.jpg", WIDTH, HEIGHT)
    points = np.random.default_rng(0).normal(size=(20, 3)) + np.array([0, 0, 9.0])
    pixels, depth = project(np.array(image["K"]), np.array(image["cam_from_world"]), points)
    ours, our_depth = project(view.intrinsics, view.camera_from_world, points)
    np.testing.assert_allclose(pixels + 0.5, ours, atol=1e-9)
    np.testing.assert_allclose(depth, our_depth)


def test_depth_comes_back_bit_for_bit_where_the_grid_covers_the_photo(tmp_path: Path) -> None:
    view = a_view()
    path = write_cameras_json(Reconstruction((view, bare_view("b.jpg")), "sfm"), tmp_path / "out.json")
    first, second = read(path)
    assert first["depth"] == "out_depth/0000.npy" and "depth" not in second
    depth = np.load(tmp_path / first["depth"])
    assert view.depth is not None and depth.tobytes() == view.depth.tobytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.json", "out_depth"]


def test_without_depth_there_is_no_folder(tmp_path: Path) -> None:
    write_cameras_json(Reconstruction((bare_view("a.jpg"),), "sfm"), tmp_path / "out.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_a_grid_over_a_part_of_the_photo_is_zero_outside() -> None:
    """Some 320 x 240 pixels in the middle, at 5 pixels a step, and not in step with the photo."""
    photo_from_grid = np.array([[5.0, 0, 161.3], [0, 5, 116.9], [0, 0, 1]])
    rows, columns = np.mgrid[0:48, 0:64]
    inverse = 0.5 + 1e-4 * columns + 2e-4 * rows
    view = a_view(
        depth=(1 / inverse).astype(np.float32),
        confidence=np.ones((48, 64), np.float32),
        photo_from_grid=photo_from_grid,
    )
    frame = full_frame_depth(view)
    assert frame.shape == (HEIGHT // 5, WIDTH // 5)
    x, y = np.meshgrid((np.arange(128) + 0.5) * 5, (np.arange(96) + 0.5) * 5)
    inside = (x > 161.3) & (x < 481.3) & (y > 116.9) & (y < 356.9)
    assert not frame[~inside].any() and (frame[inside] > 0).all()
    at_column, at_row = (x - 161.3) / 5 - 0.5, (y - 116.9) / 5 - 0.5
    expected = 1 / (0.5 + 1e-4 * at_column + 2e-4 * at_row)
    deep = inside & (at_column >= 0) & (at_column < 63) & (at_row >= 0) & (at_row < 47)
    np.testing.assert_allclose(frame[deep], expected[deep], rtol=1e-5)


def test_nothing_is_invented_between_surfaces_and_beside_holes() -> None:
    rng = np.random.default_rng(3)
    depth = rng.choice(np.array([0, 2, 3], np.float32), (48, 64))
    photo_from_grid = np.array([[9.9, 0.1, 3.3], [-0.1, 9.9, 1.7], [0, 0, 1]])
    frame = full_frame_depth(a_view(depth=depth, photo_from_grid=photo_from_grid))
    assert set(np.unique(frame)) <= {np.float32(0), np.float32(2), np.float32(3)}
    assert {2.0, 3.0} <= set(np.unique(frame).tolist())


def test_the_scoring_tool_finds_no_error_in_what_was_true(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    tool = shared("tools/score_cameras.py")
    views = [a_view(name) for name in ("a.jpg", "bb.jpg", "ccc.jpg", "dddd.jpg")]
    truth = write_cameras_json(Reconstruction(tuple(views), "sfm"), tmp_path / "truth.json")
    moved = []
    for view in views:  # half the size and elsewhere: x' = x / 2 + 1
        camera = view.camera_from_world.copy()
        camera[:3, 3] = camera[:3, 3] / 2 - camera[:3, :3] @ np.ones(3)
        assert view.depth is not None
        moved.append(a_view(view.name, camera_from_world=camera, depth=view.depth / 2))
    path = write_cameras_json(Reconstruction(tuple(moved), "sfm"), tmp_path / "moved #1.json")
    result = subprocess.run(
        [sys.executable, str(tool), str(path), str(truth), "--json"], capture_output=True, text=True, check=True
    )
    score = json.loads(result.stdout)
    assert (score["images_pred"], score["AUC@3"], score["focal_err_pct"]) == (4, 100, 0)
    assert score["depth_absrel"] < 1e-6 and score["depth_completeness_pct"] == 100


def test_writing_again_replaces_all(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_cameras_json(Reconstruction((a_view("a.jpg"), a_view("b.jpg")), "sfm"), path)
    write_cameras_json(Reconstruction((a_view("c.jpg"),), "sfm"), path)
    assert [image["name"] for image in read(path)] == ["c.jpg"]
    assert [entry.name for entry in (tmp_path / "out_depth").iterdir()] == ["0000.npy"]
    write_cameras_json(Reconstruction((bare_view("d.jpg"),), "sfm"), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.json"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out_depth").mkdir()
    (tmp_path / "out_depth" / "render.exr").write_bytes(b"mine")
    with pytest.raises(OutputExistsError, match="out_depth"):
        write_cameras_json(Reconstruction((a_view(),), "sfm"), tmp_path / "out.json")
    assert (tmp_path / "out_depth" / "render.exr").read_bytes() == b"mine" and not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("function", "real", "patience"),
    [
        ("numpy.save", np.save, 0),
        ("numpy.save", np.save, 1),
        ("pathlib.Path.write_bytes", Path.write_bytes, 0),
        ("os.replace", os.replace, 0),
        ("os.replace", os.replace, 1),
        ("os.replace", os.replace, 2),
    ],
)
def test_a_full_disk_costs_a_sentence_and_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, real: Callable[..., Any], patience: int
) -> None:
    path = write_cameras_json(Reconstruction((a_view("a.jpg"), a_view("b.jpg")), "sfm"), tmp_path / "out.json")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    calls = 0

    def fails_once(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == patience + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(function, fails_once)
        with pytest.raises(UserError, match="No space left"):
            write_cameras_json(Reconstruction((a_view("c.jpg"), a_view("d.jpg")), "sfm"), path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.json", "out_depth"]


def test_a_place_that_cannot_be_written_to_costs_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="could not be written"):
        write_cameras_json(Reconstruction((a_view(),), "sfm"), tmp_path / "file" / "out.json")


@pytest.mark.parametrize("changes", [{"width": 2**31 - 1}, {"photo_from_grid": np.diag([1e-9, 1e-9, 1.0])}])
def test_an_absurd_frame_is_a_sentence_and_no_memory(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=r"a\.jpg cannot be exported"):
        write_cameras_json(Reconstruction(views=(a_view(**changes),), engine="x"), tmp_path / "cameras.json")
    assert list(tmp_path.iterdir()) == []
