from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.scene.framing import frame, nearest_spacing

LENS, ASPECT = 50 / 36, 1.6
Float = NDArray[np.float64]


def in_frame(pose: Float, points: Float) -> NDArray[np.bool_]:
    """Which points a Blender camera of that lens and frame sees."""
    in_camera = (points - pose[:3, 3]) @ pose[:3, :3]
    x, y = (in_camera[:, :2] / -in_camera[:, 2:] * LENS).T
    return np.asarray((in_camera[:, 2] < 0) & (np.abs(x) <= 0.5) & (np.abs(y) <= 0.5 / ASPECT))


def ring(synthetic: ModuleType, count: int, sweep: float, height: float) -> Float:
    """Cameras (count, 4, 4), Blender axes, on an arc about the origin, all looking at it."""
    poses = []
    for angle in np.radians(np.linspace(-sweep / 2, sweep / 2, count, endpoint=sweep < 360)):
        center = np.array([4 * np.sin(angle), -4 * np.cos(angle), height])
        pose = np.linalg.inv(synthetic.look_at(center, np.zeros(3)))
        pose[:3, 1:3] *= -1
        poses.append(pose)
    return np.array(poses)


def small_frusta(poses: Float) -> Float:
    """A pyramid (count, 5, 3) before each camera, half a unit deep and wide."""
    corners = np.array([[0, 0, 0], [-1, 1, -2], [-1, -1, -2], [1, -1, -2], [1, 1, -2]]) * 0.25
    return np.asarray(np.einsum("kij,cj->kci", poses[:, :3, :3], corners) + poses[:, None, :3, 3])


@pytest.mark.parametrize("sweep", [0.001, 60, 170, 360])
@pytest.mark.parametrize("height", [0.0, 2.0, 30.0])
def test_cameras_and_nearly_all_surface_are_in_the_frame(synthetic: ModuleType, sweep: float, height: float) -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(4000, 3)) * [1.0, 0.6, 0.4]
    seen[:20] *= 1000  # outliers must not decide
    seen[20:120] += [40.0, 60.0, 10.0]  # nor a house in the distance
    poses = ring(synthetic, 9, sweep, height)
    frusta = poses[:, :3, 3][:, None] + rng.uniform(-0.2, 0.2, (9, 5, 3))
    pose, distance = frame(seen, frusta, poses, True, LENS, ASPECT)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert in_frame(pose, frusta.reshape(-1, 3)).all()
    assert in_frame(pose, seen).mean() > 0.9
    assert 1 < distance < 10 * max(4, height)


def test_it_looks_from_behind_and_above(synthetic: ModuleType) -> None:
    poses = ring(synthetic, 7, 60, 1.0)
    seen = np.random.default_rng(1).normal(size=(500, 3))
    pose, _ = frame(seen, small_frusta(poses), poses, True, LENS, ASPECT)
    assert pose[2, 3] > poses[:, 2, 3].max()  # above every camera
    assert pose[1, 3] < poses[:, 1, 3].min()  # and behind
    assert abs(pose[2, 0]) < 1e-9  # with a level horizon


def test_it_goes_aside_where_frusta_hide_the_subject(synthetic: ModuleType) -> None:
    seen = np.random.default_rng(1).normal(size=(500, 3)) * 0.4
    poses = ring(synthetic, 12, 160, 1.0)
    frusta = small_frusta(poses)
    pose, _ = frame(seen, frusta, poses, True, LENS, ASPECT)
    forward = -pose[:3, 2]
    shadows = []
    for distance in np.linspace(0, 12, 60):  # march from the subject to the eye, and look for pyramids on the way
        moved = seen[:, None] - distance * forward
        near = np.linalg.norm(moved - frusta.mean(axis=1), axis=2) < 0.2
        shadows.append(near.any(axis=1))
    assert np.any(shadows, axis=0).mean() < 0.1


def test_where_up_is_unknown_the_cameras_decide(synthetic: ModuleType) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    poses = ring(synthetic, 7, 60, 0.0)
    turned = poses.copy()
    turned[:, :3] = turn @ poses[:, :3]
    seen = np.random.default_rng(1).normal(size=(500, 3))
    straight, _ = frame(seen, small_frusta(poses), poses, False, LENS, ASPECT)
    pose, _ = frame(seen @ turn.T, small_frusta(turned), turned, False, LENS, ASPECT)
    np.testing.assert_allclose(pose[:3], turn @ straight[:3], atol=1e-6)


def test_one_camera_and_no_surface_is_enough(synthetic: ModuleType) -> None:
    poses = ring(synthetic, 1, 0.001, 1.0)
    frusta = small_frusta(poses)
    pose, _ = frame(np.empty((0, 3)), frusta, poses, True, LENS, ASPECT)
    assert in_frame(pose, frusta.reshape(-1, 3)).all()


def test_the_spacing_of_cameras_is_the_median_to_the_nearest() -> None:
    assert nearest_spacing(np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])) == 1.0
    assert nearest_spacing(np.zeros((1, 3))) == float("inf")
