import cv2
import numpy as np
import pytest

from vggt_addon.geometry.rotations import angle_between, any_perpendicular, unit, upright_rotation


@pytest.mark.parametrize("angle", [1e-9, 0.3, np.pi / 2, 3.1])
def test_the_angle_of_a_turn_is_found_again(angle: float) -> None:
    axis = np.array([1.0, 2, 3])
    vector = any_perpendicular(axis)
    assert vector @ axis == pytest.approx(0, abs=1e-12)
    turned = cv2.Rodrigues(angle * unit(axis))[0] @ vector
    assert angle_between(vector, turned) == pytest.approx(angle, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_up_becomes_z_and_forward_y(seed: int) -> None:
    rng = np.random.default_rng(seed)
    up, forward = rng.normal(size=3), rng.normal(size=3)
    rotation = upright_rotation(up, forward)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ unit(up), [0, 0, 1], atol=1e-12)
    turned = rotation @ forward
    assert turned[0] == pytest.approx(0, abs=1e-12) and turned[1] > 0


def test_forward_along_up_takes_any_heading() -> None:
    rotation = upright_rotation(np.array([0.0, -1, 0]), np.array([0.0, 3, 0]))
    np.testing.assert_allclose(rotation @ [0, -1, 0], [0, 0, 1], atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("vector", [[0.0, 0, 0], [np.nan, 0, 0], [np.inf, 0, 0]])
def test_no_direction_is_refused(vector: list[float]) -> None:
    with pytest.raises(ValueError, match="without a direction"):
        unit(np.array(vector))
