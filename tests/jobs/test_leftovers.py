"""What a run has left goes, and nothing else."""

import sys
from pathlib import Path

import pytest

from vggt_addon.jobs.leftovers import find_leftovers, remove_leftovers


def test_only_what_a_run_makes_is_removed(tmp_path: Path) -> None:
    for name in ("work/photos", "capture/arrays", ".capture-x1y2/arrays", "thumbnails", "captures", "work.bak"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    assert sorted(path.name for path in find_leftovers(tmp_path)) == [".capture-x1y2", "capture", "work"]
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captures", "notes.txt", "thumbnails", "work.bak"]
    assert find_leftovers(tmp_path) == []
    remove_leftovers(tmp_path / "not there")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "dear").mkdir()
    (tmp_path / "dear" / "file").write_text("x")
    job = tmp_path / "job"
    (job / "capture").mkdir(parents=True)
    (job / "work").symlink_to(tmp_path / "dear")
    (job / "capture" / "photos").symlink_to(tmp_path / "dear")
    (job / ".capture-dangling").symlink_to("nowhere")
    remove_leftovers(job)
    assert (tmp_path / "dear" / "file").exists()
    assert not list(job.iterdir())


@pytest.mark.parametrize("folder", ["/nowhere/job", "a\0b"])
def test_a_folder_that_cannot_be_there_is_no_failure(folder: str) -> None:
    remove_leftovers(Path(folder))


def test_what_cannot_be_removed_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "work").mkdir()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "in use", str(path))

    monkeypatch.setattr("shutil.rmtree", refuse)
    remove_leftovers(tmp_path)
    assert "in use" in caplog.text
