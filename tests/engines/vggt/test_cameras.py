"""Known cameras are recovered from their encodings, and known points from their depth."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vggt_addon.engines.vggt.cameras import decode_cameras, unproject

SIZE = (392, 518)  # H, W


def rotations(count: int) -> Tensor:
    """Random rotation matrices (count, 3, 3)."""
    random = np.random.default_rng(0).standard_normal((count, 3, 3))
    matrices = np.linalg.qr(random)[0]
    return torch.from_numpy(matrices * np.linalg.det(matrices)[:, None, None])


def quaternion(rotation: Tensor) -> Tensor:
    """x, y, z, w of one rotation matrix: its axis is what it leaves alone, its angle by the trace."""
    angle = math.acos(min(1.0, max(-1.0, (float(rotation.trace()) - 1) / 2)))
    skew = torch.stack(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    )
    axis = skew / skew.norm()
    return torch.cat([axis * math.sin(angle / 2), torch.tensor([math.cos(angle / 2)], dtype=torch.float64)])


def encoded(rotation: Tensor, translation: Tensor, vertical: float, horizontal: float, length: float) -> Tensor:
    fields = torch.tensor([vertical, horizontal], dtype=torch.float64)
    return torch.cat([translation, length * quaternion(rotation), fields])


@pytest.mark.parametrize("length", [1.0, 0.2, 7.0, -3.0])
def test_known_cameras_are_recovered(length: float) -> None:
    turns = rotations(6)
    places = torch.from_numpy(np.random.default_rng(1).standard_normal((6, 3)))
    vertical, horizontal = 0.9, 1.1
    encodings = torch.stack(
        [encoded(turn, place, vertical, horizontal, length) for turn, place in zip(turns, places, strict=True)]
    )
    camera_from_world, intrinsics = decode_cameras(encodings.unflatten(0, (2, 3)), SIZE)
    assert camera_from_world.shape == (2, 3, 3, 4) and intrinsics.shape == (2, 3, 3, 3)
    torch.testing.assert_close(camera_from_world.flatten(0, 1)[..., :3], turns, rtol=0, atol=1e-12)
    assert torch.equal(camera_from_world.flatten(0, 1)[..., 3], places)
    focal_x, focal_y = 259 / math.tan(horizontal / 2), 196 / math.tan(vertical / 2)
    wanted = torch.tensor([[focal_x, 0, 259], [0, focal_y, 196], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(intrinsics, wanted.expand(2, 3, 3, 3), rtol=1e-14, atol=0)


def test_a_quarter_turn_about_each_axis() -> None:
    """x, y, z, w: a scalar last, and turns by the right hand."""
    half = math.sqrt(0.5)
    for axis in range(3):
        values = [0.0, 0.0, 0.0, half]
        values[axis] = half
        encoding = torch.tensor([0.0, 0, 0, *values, 1, 1], dtype=torch.float64)
        matrix = decode_cameras(encoding, SIZE)[0][:, :3]
        following, last = (axis + 1) % 3, (axis + 2) % 3
        wanted = torch.zeros(3, 3, dtype=torch.float64)
        wanted[axis, axis], wanted[last, following], wanted[following, last] = 1, 1, -1
        torch.testing.assert_close(matrix, wanted, rtol=0, atol=1e-15)


def test_a_closed_eye_has_an_infinite_focal_length() -> None:
    encoding = torch.tensor([0.0, 0, 0, 0, 0, 0, 1, 0, 1])
    intrinsics = decode_cameras(encoding, SIZE)[1]
    assert math.isinf(float(intrinsics[1, 1])) and math.isfinite(float(intrinsics[0, 0]))
    assert not intrinsics.isnan().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_points_that_were_projected_are_recovered(dtype: torch.dtype) -> None:
    """World points -> pixel indices and depth by the cameras -> the same world points."""
    turns = rotations(2)
    encodings = torch.stack(
        [
            encoded(turns[0], torch.tensor([0.1, -0.2, 0.3]).double(), 0.9, 1.1, 2.0),
            encoded(turns[1], torch.tensor([-1.0, 0.5, 2.0]).double(), 0.5, 0.8, 1.0),
        ]
    )
    height, width = 6, 10
    cameras, intrinsics = decode_cameras(encodings, (height, width))
    depth = torch.from_numpy(np.random.default_rng(2).uniform(1, 5, (2, height, width)))
    points = unproject(depth.to(dtype), cameras.to(dtype), intrinsics.to(dtype)).double()
    assert points.shape == (2, height, width, 3)
    in_camera = torch.einsum("nij,nhwj->nhwi", cameras[:, :, :3], points) + cameras[:, None, None, :, 3]
    in_picture = torch.einsum("nij,nhwj->nhwi", intrinsics, in_camera)
    pixels = in_picture[..., :2] / in_picture[..., 2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    wanted = torch.stack([columns, rows], dim=-1).double().expand(2, -1, -1, -1)  # indices, no half added
    close = 1e-4 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(pixels, wanted, rtol=0, atol=close)
    torch.testing.assert_close(in_camera[..., 2], depth, rtol=0, atol=close)
    assert unproject(depth.to(dtype), cameras.to(dtype), intrinsics.to(dtype)).dtype == dtype
