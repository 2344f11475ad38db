"""A known distortion is applied and taken out again."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm import undistort as module
from vggt_addon.engines.sfm.undistort import corner_displacement, distorted, undistort

INTRINSICS = np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]])


def _spots(centers: NDArray[Any]) -> NDArray[Any]:
    """A picture of Gaussian spots at pixel positions (centres at +0.5)."""
    columns, rows = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    picture = np.zeros((240, 320))
    for x, y in centers:
        picture += np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))
    return np.repeat(np.clip(picture * 250, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _spot_near(picture: NDArray[Any], x: float, y: float) -> NDArray[Any]:
    left, top = int(x) - 9, int(y) - 9
    window = picture[top : top + 19, left : left + 19, 0].astype(float)
    columns, rows = np.meshgrid(np.arange(19) + left + 0.5, np.arange(19) + top + 0.5)
    center: NDArray[Any] = np.array([(window * columns).sum(), (window * rows).sum()]) / window.sum()
    return center


def test_spots_return_to_where_a_perfect_lens_puts_them() -> None:
    ideal = np.array([[40.0, 40.0], [160.0, 30.0], [280.0, 50.0], [60.0, 200.0], [160.0, 120.0], [270.0, 190.0]])
    for distortion in (-0.15, 0.1):
        seen = _spots(distorted(ideal, INTRINSICS, distortion))
        straight = undistort(seen, INTRINSICS, distortion)
        assert straight.shape == seen.shape
        for x, y in ideal:
            assert np.linalg.norm(_spot_near(straight, x, y) - (x, y)) < 0.1


def test_the_centre_stays_and_the_corner_moves_by_the_stated_amount() -> None:
    center = np.array([[160.0, 120.0]])
    assert np.allclose(distorted(center, INTRINSICS, -0.2), center)
    radius_squared = (160 / 300) ** 2 + (120 / 300) ** 2
    expected = 0.2 * radius_squared * np.hypot(160, 120)
    assert np.isclose(corner_displacement(320, 240, INTRINSICS, -0.2), expected)
    assert corner_displacement(320, 240, INTRINSICS, 0.0) == 0.0


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    whole = module.undistort(noise, INTRINSICS, 0.05)
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 320 * 7)
    assert np.array_equal(module.undistort(noise, INTRINSICS, 0.05), whole)
