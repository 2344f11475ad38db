"""What the alignment looks for, as the numbers that the optimiser changes, and what they stand for.

Stored forms, chosen so that one step size suits all: depth and scale as logarithms, focal length as 20 log f,
translation as sign(t) log(1 + |t|), rotation as a quaternion x y z w of any length.
This module imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

FOCAL_FACTOR = 20.0
ADAPTOR_FACTOR = 20.0
MEAN_SCALE = 0.5  # geometric mean of the pairs' scales, which settles the world's


@dataclass(frozen=True)
class Fixed:
    """What is known beforehand of some pictures, and is not changed."""

    poses: Mapping[int, Tensor]  # picture -> world from camera (4, 4), rigid
    focals: Mapping[int, float]  # picture -> pixels
    focal_groups: Sequence[int] | None = None  # n: pictures with equal numbers share one focal length; None: nobody

    @property
    def settles_scale(self) -> bool:
        """Two known cameras have a distance."""
        return len(self.poses) >= 2


NOTHING_FIXED = Fixed({}, {})


class Unknowns(nn.Module):
    """All unknowns of n pictures with N pixels in all, and E directed pairs. Float32."""

    pair_poses: Tensor
    poses: Tensor
    log_depth: Tensor
    focals: Tensor
    adaptors: Tensor

    def __init__(self, pixels: Sequence[Tensor], pairs: int, fixed: Fixed = NOTHING_FIXED) -> None:
        super().__init__()
        count, device = len(pixels), pixels[0].device
        self.fixed = fixed
        groups = list(fixed.focal_groups or range(count))
        self._group_of = torch.tensor([sorted(set(groups)).index(group) for group in groups], device=device)
        self._counts = [part.shape[1] for part in pixels]
        self._pixels = torch.cat(list(pixels), dim=1)  # (2, N)
        self._picture_of = torch.arange(count, device=device).repeat_interleave(
            torch.tensor(self._counts, device=device)
        )
        identity = torch.tensor([0.0, 0, 0, 1, 0, 0, 0], device=device)
        self.pair_poses = nn.Parameter(torch.cat([identity, identity.new_zeros(1)]).repeat(pairs, 1))  # (E, 8)
        self.poses = nn.Parameter(identity.repeat(count, 1))  # (n, 7)
        self.log_depth = nn.Parameter(torch.zeros(sum(self._counts), device=device))  # (N,)
        self.focals = nn.Parameter(torch.zeros(len(set(groups)), device=device))  # (groups,)
        self.adaptors = nn.Parameter(torch.zeros(pairs, 2, device=device), requires_grad=False)  # (E, 2)
        self._poses_free = self._free(count, fixed.poses)
        known_groups = {int(self._group_of[picture]) for picture in fixed.focals}
        self._focals_free = self._free(len(self.focals), known_groups)
        with torch.no_grad():
            for picture, pose in fixed.poses.items():
                self.poses[picture] = stored_pose(pose)
            for picture, focal in fixed.focals.items():
                self.set_focal(picture, focal)

    def _free(self, count: int, known: Sequence[int] | Mapping[int, object] | set[int]) -> Tensor | None:
        """1 for what may change and 0 for what is known; None where all may."""
        if not known:
            return None
        free = torch.ones(count, device=self._pixels.device)
        free[list(known)] = 0
        return free

    def set_focal(self, picture: int, focal: float) -> None:
        """Pixels; of the picture's whole group."""
        self.focals.data[self._group_of[picture]] = FOCAL_FACTOR * torch.log(torch.tensor(focal)).item()

    def focal_lengths(self) -> Tensor:
        """(n,) pixels."""
        stored = self.focals
        if self._focals_free is not None:
            stored = torch.where(self._focals_free > 0, stored, stored.detach())
        return (stored / FOCAL_FACTOR).exp()[self._group_of]

    def world_from_camera(self) -> tuple[Tensor, Tensor]:
        """Rotations (n, 3, 3) and camera centres (n, 3)."""
        stored = self.poses
        if self._poses_free is not None:
            stored = torch.where(self._poses_free[:, None] > 0, stored, stored.detach())
        return rotations(stored[:, :4]), translations(stored[:, 4:7])

    def cameras(self) -> Tensor:
        """World from camera (n, 4, 4), float64 on the CPU, rigid to the last digit."""
        stored = self.poses.detach().cpu().double()
        matrices = torch.eye(4, dtype=torch.float64).repeat(len(stored), 1, 1)
        matrices[:, :3, :3], matrices[:, :3, 3] = rotations(stored[:, :4]), translations(stored[:, 4:7])
        return matrices

    def scales(self) -> Tensor:
        """(E,) of the pairs."""
        logarithms = self.pair_poses[:, 7]
        if not self.fixed.settles_scale:
            logarithms = logarithms - logarithms.mean() + float(torch.log(torch.tensor(MEAN_SCALE)))
        return logarithms.exp()

    def similarities(self) -> Tensor:
        """World from pair, (E, 3, 4): X -> s (R X + t), the adaptors' stretch of X before it."""
        turned = rotations(self.pair_poses[:, :4])
        if self.adaptors.requires_grad or bool(self.adaptors.any()):
            stretch = self.adaptors[:, [0, 0, 1]]
            stretch = (stretch - stretch.mean(dim=1, keepdim=True)) / ADAPTOR_FACTOR
            turned = turned * stretch.exp()[:, None, :]
        moved = translations(self.pair_poses[:, 4:7])
        return torch.cat([turned, moved[..., None]], dim=-1) * self.scales()[:, None, None]

    def depth(self) -> Tensor:
        """(N,) along the cameras' axes."""
        return self.log_depth.exp()

    def world(self) -> Tensor:
        """(3, N): every pixel at its depth. X = R (x D/f, y D/f, D) + centre."""
        turned, centres = self.world_from_camera()
        inverse = 1 / self.focal_lengths()
        # Per picture one (3, 3) matrix on (x, y, 1), times depth: nothing per pixel is kept but rays and points.
        onto_rays = turned * torch.stack([inverse, inverse, torch.ones_like(inverse)], dim=-1)[:, None, :]
        depths, pixels = self.depth().split(self._counts), self._pixels.split(self._counts, dim=1)
        parts = [
            (torch.addmm(onto_rays[k][:, 2:], onto_rays[k][:, :2], pixels[k]) * depths[k]) + centres[k][:, None]
            for k in range(len(depths))
        ]
        return torch.cat(parts, dim=1)

    def split(self, values: Tensor) -> list[Tensor]:
        """(..., N) by picture."""
        return list(values.split(self._counts, dim=-1))

    def state(self) -> dict[str, Tensor]:
        """A copy of all that changes."""
        return {name: cast(Tensor, value).detach().clone() for name, value in self.state_dict().items()}


def rotations(quaternions: Tensor) -> Tensor:
    """(..., 4) x y z w of any length -> (..., 3, 3)."""
    x, y, z, w = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(dim=-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], dim=-1),
        torch.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], dim=-1),
        torch.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def translations(stored: Tensor) -> Tensor:
    """Undoes `stored_translations`."""
    return stored.sign() * stored.abs().expm1()


def stored_translations(moved: Tensor) -> Tensor:
    """sign(t) log(1 + |t|)."""
    return moved.sign() * moved.abs().log1p()


def stored_pose(world_from_camera: Tensor) -> Tensor:
    """(4, 4) rigid -> (7,) float32: quaternion and stored translation."""
    moved = stored_translations(world_from_camera[:3, 3].float())
    return torch.cat([quaternion(world_from_camera[:3, :3]).to(moved), moved])


def quaternion(rotation: Tensor) -> Tensor:
    """(3, 3) -> x y z w of unit length: the eigenvector of the largest eigenvalue (Bar-Itzhack 2000). float64."""
    r = rotation.detach().double().cpu()
    symmetric = torch.stack(
        [
            torch.stack([r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]]),
            torch.stack([r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]]),
            torch.stack([r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]]),
            torch.stack([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]]),
        ]
    )
    vectors: Tensor = torch.linalg.eigh(symmetric).eigenvectors
    return vectors[:, -1]
