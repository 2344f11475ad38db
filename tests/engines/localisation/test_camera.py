"""One photo's camera from points with known places: a lens that is known, claimed, or neither."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.localisation.camera import LEAST_POINTS, FoundCamera, find_camera
from vggt_addon.geometry.projection import camera_center
from vggt_addon.photos.photo import FocalPrior, Photo
from vggt_addon.reconstruction import Lens, SolveReport, View

Float = NDArray[np.float64]
WIDTH, HEIGHT, FOCAL, DISTORTION = 1200, 800, 1000.0, -0.05
FAR = np.array([20_000.0, -30_000.0, 10_000.0])  # where the world's zero is not


def _photo(prior: float | None) -> Photo:
    claimed = None if prior is None else FocalPrior(prior, "exif 35 mm equivalent")
    return Photo(Path("/new.jpg"), "new.jpg", "0" * 64, WIDTH, HEIGHT, 1, claimed, "", True)


def _view(prior: float | None, size: tuple[int, int] = (WIDTH, HEIGHT)) -> View:
    intrinsics = np.array([[FOCAL, 0, size[0] / 2], [0, FOCAL, size[1] / 2], [0, 0, 1]])
    lens = Lens("SIMPLE_RADIAL", (FOCAL, size[0] / 2, size[1] / 2, DISTORTION), 10.0)
    path, report = Path("/old.jpg"), SolveReport("solved", prior)
    return View("old.jpg", "1" * 64, path, path, *size, intrinsics, np.eye(4), lens=lens, report=report)


def _seen(count: int, outliers: float = 0.3, *, flat: bool = False) -> tuple[Float, Float, Float]:
    """Points in front of a turned camera, the pixels of its bent picture with a pixel of noise, and the camera."""
    random = np.random.default_rng(count)
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(np.array([0.2, -0.4, 0.1]))[0]
    depth = random.uniform(4, 12, count) if not flat else np.full(count, 8.0)
    side = random.uniform(-0.45, 0.45, (count, 2)) * (WIDTH / FOCAL, HEIGHT / FOCAL)
    in_camera = np.c_[side, np.ones(count)] * depth[:, None]
    points = in_camera @ pose[:3, :3] + FAR  # the camera stands at FAR
    pose[:3, 3] = -pose[:3, :3] @ FAR
    bent = side * (1 + DISTORTION * (side**2).sum(axis=1, keepdims=True))
    pixels = bent * FOCAL + (WIDTH / 2, HEIGHT / 2) + random.normal(size=(count, 2)) * 0.5
    wrong = random.random(count) < outliers
    pixels[wrong] = random.uniform(0, 1, (int(wrong.sum()), 2)) * (WIDTH, HEIGHT)
    return points, pixels, pose


def _off(found: FoundCamera | None, pose: Float) -> tuple[float, float]:
    """Degrees, and world units of 8 to what is seen."""
    assert found is not None
    turn = cv2.Rodrigues(found.camera_from_world[:3, :3] @ pose[:3, :3].T)[0]
    shift = camera_center(found.camera_from_world) - camera_center(pose)
    return float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift))


@pytest.mark.parametrize("prior", [None, 1030.0])
def test_a_photo_like_one_of_the_capture_has_its_lens(prior: float | None) -> None:
    points, pixels, pose = _seen(400)
    found = find_camera(_photo(prior), [_view(3000.0), _view(prior)], points, pixels)
    degrees, shift = _off(found, pose)
    assert degrees < 0.05 and shift < 0.02
    assert found is not None and found.intrinsics[0, 0] == FOCAL and found.distortion == DISTORTION
    assert found.report.focal_source == "solved" and not found.report.focal_uncertain


@pytest.mark.parametrize("prior", [None, 850.0, 4000.0])
def test_another_lens_is_solved_whatever_the_file_claims(prior: float | None) -> None:
    points, pixels, pose = _seen(600)
    found = find_camera(_photo(prior), [_view(prior, (640, 480))], points, pixels)
    degrees, shift = _off(found, pose)
    assert degrees < 0.2 and shift < 0.1
    assert found is not None and found.intrinsics[0, 0] == pytest.approx(FOCAL, rel=0.01)
    assert found.distortion == pytest.approx(DISTORTION, abs=0.02)
    assert found.report.focal_source == "solved" and found.report.focal_prior == prior


def test_a_view_of_the_same_size_with_another_lens_misleads_nobody() -> None:
    points, pixels, pose = _seen(600)
    lie = _view(None)
    intrinsics = lie.intrinsics.copy()
    intrinsics[0, 0] = intrinsics[1, 1] = 3 * FOCAL
    path = Path("/old.jpg")
    zoomed = View("old.jpg", "1" * 64, path, path, WIDTH, HEIGHT, intrinsics, np.eye(4))
    degrees, _ = _off(find_camera(_photo(None), [zoomed], points, pixels), pose)
    assert degrees < 0.2


def test_points_in_one_plane_do_not_unsettle_what_the_file_claims() -> None:
    points, pixels, _ = _seen(300, 0.0, flat=True)
    found = find_camera(_photo(FOCAL), [], points, pixels)
    assert found is not None and found.report.focal_source == "held" and found.report.focal_uncertain
    assert found.intrinsics[0, 0] == FOCAL


@pytest.mark.parametrize("count", [0, 3, LEAST_POINTS - 1])
def test_too_few_points_are_no_camera(count: int) -> None:
    points, pixels, _ = _seen(count, 0.0)
    assert find_camera(_photo(None), [_view(None)], points, pixels) is None


def test_chance_is_no_camera() -> None:
    points, pixels, _ = _seen(500, 1.0)
    assert find_camera(_photo(None), [_view(None)], points, pixels) is None
