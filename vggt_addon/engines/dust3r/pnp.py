"""Where a camera stands that sees known points at known pixels: RANSAC over SQPnP (Terzakis and Lourakis 2020).

This module imports OpenCV, torch and numpy.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Float = NDArray[np.float64]

FOCALS_TRIED = 21  # where the focal length is not known: in geometric steps from half of the long side to three times
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
    points = np.ascontiguousarray(world[:, ::step].T.detach().cpu().double().numpy())
    seen = np.ascontiguousarray(pixels[:, ::step].T.detach().cpu().double().numpy())
    if len(points) < 4:
        return None
    tried = [focal] if focal else list(np.geomspace(long_side / 2, long_side * 3, FOCALS_TRIED))
    answers = [_try(points, seen, length, rounds, refine) for length in tried]
    found = [answer for answer in answers if answer is not None]
    return max(found, key=lambda answer: answer.inliers) if found else None


def _try(points: Float, pixels: Float, focal: float, rounds: int, refine: bool) -> Located | None:
    intrinsics = np.diag([focal, focal, 1.0])  # pixels are counted from the middle
    straight = np.zeros(4)  # no distortion
    cv2.setRNGSeed(0)
    done, turn, shift, inliers = cv2.solvePnPRansac(
        points,
        pixels,
        intrinsics,
        straight,
        iterationsCount=rounds,
        reprojectionError=INLIER_PIXELS,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    if not done or inliers is None or len(inliers) < 4:
        return None
    if refine:
        inside = inliers[:, 0]
        turn, shift = cv2.solvePnPRefineLM(points[inside], pixels[inside], intrinsics, straight, turn, shift)
    rotation = torch.from_numpy(cv2.Rodrigues(turn)[0])
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ torch.from_numpy(shift)[:, 0]
    return Located(pose, float(focal), len(inliers)) if bool(pose.isfinite().all()) else None
