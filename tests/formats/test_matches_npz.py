"""Matches as numpy reads them."""

from pathlib import Path

import numpy as np
import pytest

from vggt_addon.errors import UserError
from vggt_addon.formats.matches_npz import write_matches_npz
from vggt_addon.reconstruction import Matches, Reconstruction, View


def _capture(matches: Matches | None) -> Reconstruction:
    views = [
        View(name, name, Path(name), Path(name), 40, 30, np.diag([50.0, 50, 1]), np.eye(4))
        for name in ("Straße 写真.jpg", "b.jpg", "c.jpg")
    ]
    return Reconstruction(tuple(views), "dust3r", matches=matches)


def test_what_was_matched_is_read_without_our_code(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    matches = Matches(
        view=np.array([[0, 1], [0, 1], [1, 2]], np.int32),
        pixel=random.uniform(0, 30, (3, 2, 2)).astype(np.float32),
        confidence=random.random(3, np.float32),
    )
    path = write_matches_npz(_capture(matches), tmp_path / "new folder" / "matches.npz")
    assert [entry.name for entry in path.parent.iterdir()] == ["matches.npz"]
    with np.load(path, allow_pickle=False) as read:
        assert read["name"].tolist() == ["Straße 写真.jpg", "b.jpg", "c.jpg"]
        for name in ("view", "pixel", "confidence"):
            assert read[name].dtype == getattr(matches, name).dtype
            np.testing.assert_array_equal(read[name], getattr(matches, name))


def test_a_name_without_the_ending_is_kept(tmp_path: Path) -> None:
    matches = Matches(np.array([[0, 1]], np.int32), np.ones((1, 2, 2), np.float32), np.ones(1, np.float32))
    assert write_matches_npz(_capture(matches), tmp_path / "matches").is_file()


@pytest.mark.parametrize("empty", [True, False])
def test_a_capture_without_matches_is_told(empty: bool, tmp_path: Path) -> None:
    none = Matches(np.zeros((0, 2), np.int32), np.zeros((0, 2, 2), np.float32), np.zeros(0, np.float32))
    with pytest.raises(UserError, match=r"no matches to export.*--matches"):
        write_matches_npz(_capture(none if empty else None), tmp_path / "matches.npz")
    assert not list(tmp_path.iterdir())
