import dataclasses
import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.errors import UserError
from vggt_addon.formats import ply
from vggt_addon.formats.ply import write_ply
from vggt_addon.geometry.projection import transform
from vggt_addon.reconstruction import PointCloud, Reconstruction, View

HEADER = b"""ply
format binary_little_endian 1.0
element vertex 50
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
property float confidence
end_header
"""


def a_reconstruction(count: int = 50, **changes: Any) -> Reconstruction:
    rng = np.random.default_rng(0)
    view = View("a.jpg", "0", Path("a.jpg"), Path("a.jpg"), 4, 3, np.diag([5.0, 5, 1]), np.eye(4))
    points = PointCloud(
        position=rng.normal(size=(count, 3)),
        color=rng.integers(0, 256, (count, 3), np.uint8),
        confidence=rng.uniform(0, 1, count).astype(np.float32),
        view=np.zeros(count, np.int32),
        spacing=0.1,
    )
    return Reconstruction((view,), "sfm", points=points, **changes)


def read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Positions, colours and confidence, read without our code."""
    content = path.read_bytes()
    header, _, body = content.partition(b"end_header\n")
    count = int(header.split(b"element vertex ")[1].split(b"\n")[0])
    records = np.frombuffer(body, np.uint8).reshape(count, 19)
    position = records[:, :12].copy().view("<f4")
    return position, records[:, 12:15], records[:, 15:].copy().view("<f4")[:, 0]


def test_the_header_is_what_readers_expect(tmp_path: Path) -> None:
    path = write_ply(a_reconstruction(), tmp_path / "new folder" / "points.ply")
    content = path.read_bytes()
    assert content.startswith(HEADER) and len(content) == len(HEADER) + 50 * 19
    assert [entry.name for entry in path.parent.iterdir()] == ["points.ply"]


def test_points_are_in_scene_coordinates_even_from_far_away(tmp_path: Path) -> None:
    scene_from_world = np.array([[0.0, -2, 0, 2e7], [2, 0, 0, -2e7], [0, 0, 2, 0], [0, 0, 0, 1]])
    saved = a_reconstruction(scene_from_world=scene_from_world)
    assert saved.points is not None
    far = dataclasses.replace(saved.points, position=saved.points.position + np.array([1e7, 1e7, 0]))
    position, color, confidence = read(write_ply(saved.replace(points=far), tmp_path / "points.ply"))
    np.testing.assert_allclose(position, transform(scene_from_world, far.position), atol=1e-6)
    np.testing.assert_array_equal(color, far.color)
    np.testing.assert_array_equal(confidence, far.confidence)


def test_without_a_scene_they_are_in_world_coordinates(tmp_path: Path) -> None:
    saved = a_reconstruction()
    assert saved.points is not None
    position, _, _ = read(write_ply(saved, tmp_path / "points.ply"))
    np.testing.assert_array_equal(position, saved.points.position.astype(np.float32))


def test_many_points_are_written_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_ply(a_reconstruction(), tmp_path / "whole.ply").read_bytes()
    monkeypatch.setattr(ply, "BLOCK", 7)
    assert write_ply(a_reconstruction(), tmp_path / "parts.ply").read_bytes() == whole


@pytest.mark.parametrize("reconstruction", [a_reconstruction(0), a_reconstruction().replace(points=None)])
def test_no_points_cost_a_sentence(tmp_path: Path, reconstruction: Reconstruction) -> None:
    with pytest.raises(UserError, match="no points to export"):
        write_ply(reconstruction, tmp_path / "points.ply")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_costs_a_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_ply(a_reconstruction(), tmp_path / "points.ply")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ply, "_vertices", full)
        with pytest.raises(UserError, match="No space left"):
            write_ply(a_reconstruction(9), path)
    assert path.read_bytes() == before and [entry.name for entry in tmp_path.iterdir()] == ["points.ply"]


def test_a_place_that_cannot_be_written_to_costs_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="could not be written"):
        write_ply(a_reconstruction(), tmp_path / "file" / "points.ply")
