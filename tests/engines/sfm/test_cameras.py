"""From photos to cameras: what has no solution is a sentence, and a crash in one attempt is not the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vggt_addon.engines.sfm import cameras
from vggt_addon.engines.sfm.cameras import solve_cameras
from vggt_addon.engines.sfm.colmap_client import SolverError
from vggt_addon.engines.sfm.ladder import Attempt
from vggt_addon.engines.sfm.solution import Solution, SolvedImage, SolvedLens
from vggt_addon.errors import EngineError, UnreadablePhotosError
from vggt_addon.photos.gather import gather
from vggt_addon.photos.photo import FocalPrior, Photo
from vggt_addon.progress import never, no_progress
from vggt_addon.settings import EngineSettings

Photos = Callable[[Path, int], list[Path]]


def solve(photos: list[Path] | Path, workspace: Path) -> cameras.PlacedPhotos:
    found = gather([photos] if isinstance(photos, Path) else photos).photos
    return solve_cameras(found, workspace / "solver", EngineSettings(), no_progress, never)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_camera_that_only_turned(turned_photos: Photos, tmp_path: Path, count: int) -> None:
    with pytest.raises(EngineError, match="only turned, not moved"):
        solve(turned_photos(tmp_path, count), tmp_path)


def test_one_photo(turned_photos: Photos, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="One photo is not enough"):
        solve(turned_photos(tmp_path, 1), tmp_path)


def test_copies_of_one_photo(wall: Callable[[int], Any], tmp_path: Path) -> None:
    for quality in (95, 70, 50):
        cv2.imwrite(str(tmp_path / f"{quality}.jpg"), wall(0), [cv2.IMWRITE_JPEG_QUALITY, quality])
    with pytest.raises(EngineError, match="show the same picture"):
        solve(tmp_path, tmp_path)


def test_photos_of_different_things(wall: Callable[[int], Any], tmp_path: Path) -> None:
    for seed in range(3):
        cv2.imwrite(str(tmp_path / f"{seed}.png"), wall(seed))
    with pytest.raises(EngineError, match="share no detail"):
        solve(tmp_path, tmp_path)


def test_blank_photos(tmp_path: Path) -> None:
    for grey in (90, 91):
        cv2.imwrite(str(tmp_path / f"{grey}.png"), np.full((480, 640, 3), grey, np.uint8))
    with pytest.raises(EngineError, match="share no detail"):
        solve(tmp_path, tmp_path)


# What follows replaces the solver's process, to reach what photos cannot be made to show on purpose.

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def photo(number: int) -> Photo:
    name = f"{number}.jpg"
    prior = FocalPrior(1600.0, "exif 35 mm equivalent")
    return Photo(Path("/nowhere") / name, name, str(number), 2000, 1500, 1, prior, "", True)


def solved(attempt: Attempt, count: int) -> Solution:
    distortion = (-0.05,) if attempt.camera_model == "SIMPLE_RADIAL" else ()
    lens = SolvedLens("lens_000", attempt.camera_model, 1000, 750, (800.0, 500.0, 375.0, *distortion), 800.0, False)
    images = tuple(SolvedImage(f"lens_000/{i:05d}.png", 0, IDENTITY, 0.5, 100) for i in range(count))
    return Solution(attempt.name, images=images, lenses=(lens,))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, Any]], Callable[[], Any]]:
    """Run the ladder on five photos that do not exist, each attempt answering as told."""

    def prepare(answers: dict[str, Any]) -> Callable[[], Any]:
        def run_attempt(attempt: Attempt, *_: Any, **__: Any) -> Solution:
            answer = answers[attempt.name]
            if isinstance(answer, Exception):
                raise answer
            return solved(attempt, answer)

        monkeypatch.setattr(cameras, "run_attempt", run_attempt)
        monkeypatch.setattr(cameras, "write_copies", lambda *_: None)
        photos = [photo(number) for number in range(5)]
        told: list[float] = []

        def progress(stage: str, fraction: float) -> None:
            assert not told or fraction >= told[-1]
            told.append(fraction)

        return lambda: solve_cameras(photos, tmp_path, EngineSettings(), progress, never)

    return prepare


def test_a_crash_in_one_attempt_leaves_the_others(fake: Callable[..., Any]) -> None:
    placed = fake({"plain": SolverError("stopped", "x"), "affine": 5})()
    assert placed.report["attempt"] == "affine"
    assert len(placed.placed) == 5


def test_a_killed_solver_keeps_what_an_earlier_attempt_found(fake: Callable[..., Any]) -> None:
    placed = fake({"plain": 3, "affine": SolverError("killed", "x", killed=True)})()
    assert placed.report["attempt"] == "plain"
    assert [left_out.name for left_out in placed.left_out] == ["3.jpg", "4.jpg"]


def test_a_killed_solver_with_nothing_found_says_so(fake: Callable[..., Any]) -> None:
    with pytest.raises(SolverError, match="killed"):
        fake({"plain": SolverError("killed", "x", killed=True)})()


def test_the_attempt_with_most_photos_wins(fake: Callable[..., Any]) -> None:
    placed = fake({"plain": 2, "affine": 4, "pinhole": 3, "global": 4})()
    assert placed.report["attempt"] == "affine"
    assert [one["placed"] for one in placed.report["attempts"]] == [2, 4, 3, 4]


def test_cameras_are_in_pixels_of_the_photo(fake: Callable[..., Any]) -> None:
    first = fake({"plain": 5})().placed[0]
    assert first.intrinsics.tolist() == [[1600, 0, 1000], [0, 1600, 750], [0, 0, 1]]
    assert first.report.reprojection_error == 1.0
    assert first.report.focal_source == "solved" and not first.report.focal_uncertain
    assert first.lens.corner_displacement == pytest.approx(0.05 * (1250 / 1600) ** 2 * 1250)


def test_two_photos_are_marked_uncertain(fake: Callable[..., Any]) -> None:
    placed = fake({"plain": 2, "affine": 2, "pinhole": 2, "global": 2})()
    assert all(view.report.focal_uncertain for view in placed.placed)
    assert any("Two photos" in warning for warning in placed.warnings)


def test_damaged_photos_are_left_out_and_the_others_go_on(
    fake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake({"plain": 3})
    tried: list[int] = []

    def write_copies(photos: list[Photo], *_: Any) -> None:
        tried.append(len(photos))
        if len(photos) == 5:
            raise UnreadablePhotosError({"4.jpg": "4.jpg is damaged.", "1.jpg": "1.jpg is damaged."})

    monkeypatch.setattr(cameras, "write_copies", write_copies)
    placed = run()
    assert tried == [5, 3]
    assert [view.photo.name for view in placed.placed] == ["0.jpg", "2.jpg", "3.jpg"]
    assert [(photo.name, photo.reason) for photo in placed.left_out] == [
        ("1.jpg", "1.jpg is damaged."),
        ("4.jpg", "4.jpg is damaged."),
    ]


def test_one_readable_photo_is_too_few(fake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def write_copies(*_: Any) -> None:
        raise UnreadablePhotosError({f"{index}.jpg": f"{index}.jpg is damaged." for index in range(4)})

    run = fake({})
    monkeypatch.setattr(cameras, "write_copies", write_copies)
    with pytest.raises(EngineError, match=r"Only 1 of 5 photos can be read.*0\.jpg is damaged"):
        run()


def test_a_simplified_lens_is_marked_uncertain(fake: Callable[..., Any]) -> None:
    placed = fake({"plain": 2, "affine": 2, "pinhole": 5})()
    assert placed.report["attempt"] == "pinhole"
    assert all(view.report.focal_uncertain for view in placed.placed)
    assert any("only roughly" in warning for warning in placed.warnings)
