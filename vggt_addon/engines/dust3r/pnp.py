"""Where a camera stands whose pixels a pair's points are seen at; see `engines.absolute_pose`.

This module imports torch and numpy; its neighbour absolute_pose imports OpenCV.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...geometry.projection import inverse_rigid
from ..absolute_pose import absolute_pose, focals_tried

INLIER_PIXELS = 5.0
_MOST_POINTS = 20_000  # more only take time


@dataclass(frozen=True)
class Located:
    """A camera that was found."""

    world_from_camera: Tensor  # (4, 4) float64 on the CPU
    focal: float  # pixels
    inliers: int


def locate(
    world: Tensor, pixels: Tensor, focal: float | None, long_side: int, rounds: int, *, refine: bool = True
) -> Located | None:
    """World points (3, P) and their pixels (2, P) from the middle -> the camera; None where none is found.

    `rounds` of RANSAC for each focal length; `refine`: least squares on the inliers afterwards. The same input gives
    the same answer.
    """
    step = max(1, world.shape[1] // _MOST_POINTS)
    points = world[:, ::step].T.detach().cpu().double().numpy()
    seen = pixels[:, ::step].T.detach().cpu().double().numpy()
    answers = []
    for length in [focal] if focal else focals_tried(long_side):
        intrinsics = np.diag([length, length, 1.0])  # pixels are counted from the middle
        found = absolute_pose(points, seen, intrinsics, rounds=rounds, within=INLIER_PIXELS, refine=refine)
        if found is not None:
            pose = torch.from_numpy(inverse_rigid(found.camera_from_world))
            answers.append(Located(pose, length, len(found.inliers)))
    return max(answers, key=lambda answer: answer.inliers) if answers else None
