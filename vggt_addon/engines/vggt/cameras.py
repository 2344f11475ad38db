"""Cameras and points from what VGGT says, in its own conventions.

This module imports torch.
"""

import torch
from torch import Tensor


def decode_cameras(pose_encoding: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pose encodings (..., 9) of frames of `size` (H, W) -> camera_from_world (..., 3, 4), intrinsics (..., 3, 3).

    OpenCV axes. The quaternion (x, y, z, w) is normalised; the fields of view, vertical then horizontal, give
    f = (side / 2) / tan(fov / 2) in pixels of the network's input; the principal point is the middle, (W/2, H/2).
    A field of view of 0, which the network can give, becomes an infinite focal length.
    """
    translation, quaternion, fields = pose_encoding[..., :3], pose_encoding[..., 3:7], pose_encoding[..., 7:]
    camera_from_world = torch.cat([_rotation(quaternion), translation[..., None]], dim=-1)
    sides = torch.tensor(size, dtype=pose_encoding.dtype, device=pose_encoding.device)  # H, W
    focal = (sides / 2) / torch.tan(fields / 2)  # vertical, horizontal
    intrinsics = torch.zeros(*pose_encoding.shape[:-1], 3, 3, dtype=focal.dtype, device=focal.device)
    intrinsics[..., 0, 0], intrinsics[..., 1, 1] = focal[..., 1], focal[..., 0]
    intrinsics[..., 0, 2], intrinsics[..., 1, 2] = sides[1] / 2, sides[0] / 2
    intrinsics[..., 2, 2] = 1
    return camera_from_world, intrinsics


def _rotation(quaternion: Tensor) -> Tensor:
    """(..., 4) as x, y, z, w, of any length but 0 -> (..., 3, 3)."""
    x, y, z, w = quaternion.unbind(-1)
    two = 2 / quaternion.square().sum(-1)
    rows = [
        [1 - two * (y * y + z * z), two * (x * y - z * w), two * (x * z + y * w)],
        [two * (x * y + z * w), 1 - two * (x * x + z * z), two * (y * z - x * w)],
        [two * (x * z - y * w), two * (y * z + x * w), 1 - two * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def unproject(depth: Tensor, camera_from_world: Tensor, intrinsics: Tensor) -> Tensor:
    """World points of every pixel: depth (..., H, W), (..., 3, 4), (..., 3, 3) -> (..., H, W, 3), in depth's dtype.

    As the published code has it, pixel (0, 0) is at x = 0, y = 0, not at its centre: against a principal point of
    W/2, H/2 all points are half a pixel off. Kept for comparison with it; the product maps depth by `photo_from_grid`.
    """
    height, width = depth.shape[-2:]
    column = torch.arange(width, dtype=torch.float64, device=depth.device)
    row = torch.arange(height, dtype=torch.float64, device=depth.device)[:, None]
    focal_x, focal_y = intrinsics[..., 0, 0, None, None].double(), intrinsics[..., 1, 1, None, None].double()
    centre_x, centre_y = intrinsics[..., 0, 2, None, None].double(), intrinsics[..., 1, 2, None, None].double()
    along = depth.double()
    in_camera = torch.stack([(column - centre_x) * along / focal_x, (row - centre_y) * along / focal_y, along], dim=-1)
    rotation = camera_from_world[..., None, None, :3, :3].double()
    # Rounded to the depth's dtype here, as the published code does.
    shifted = in_camera.to(depth.dtype).double() - camera_from_world[..., None, None, :3, 3].double()
    return torch.einsum("...ji,...j->...i", rotation, shifted).to(depth.dtype)
