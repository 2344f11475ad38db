"""A turn and a step past a wall are told apart."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.turning import ONLY_TURNED, turn_residual


def homography(step: float, focal: float = 0.9) -> NDArray[np.float64]:
    """K (R + t n^T / d) K^-1 for a wall at distance 1."""
    intrinsics = np.array([[focal * 640, 0, 320], [0, focal * 640, 240], [0, 0, 1]])
    rotation = cv2.Rodrigues(np.array([0.03, 0.15, 0.02]))[0]
    wall = np.array([0.1, 0.2, -1.0]) / np.linalg.norm([0.1, 0.2, -1.0])
    moved = rotation + step * np.outer([1.0, 0, 0], wall)
    return np.asarray(intrinsics @ moved @ np.linalg.inv(intrinsics), np.float64)


@pytest.mark.parametrize("focal", [0.5, 0.9, 2.0])
def test_a_turn_of_any_lens(focal: float) -> None:
    assert turn_residual(homography(0.0, focal), (640, 480), (640, 480)) < ONLY_TURNED / 2


def test_scale_and_sign_do_not_matter() -> None:
    assert turn_residual(-7.5 * homography(0.0), (640, 480), (640, 480)) < ONLY_TURNED / 2


@pytest.mark.parametrize("step", [0.1, 0.3, -0.3])
def test_a_step(step: float) -> None:
    assert turn_residual(homography(step), (640, 480), (640, 480)) > ONLY_TURNED
