"""Where a camera stands that sees known points at known pixels: RANSAC over SQPnP (Terzakis and Lourakis 2020).

This module imports OpenCV and numpy.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

FOCALS_TRIED = 21  # where the focal length is not known: in geometric steps from half of the long side to three times
LEAST_POINTS = 4


@dataclass(frozen=True)
class AbsolutePose:
    """A camera that was found."""

    camera_from_world: Float  # (4, 4) rigid, OpenCV camera axes
    inliers: NDArray[np.int64]  # (m,) which of the points it sees where they were seen


def absolute_pose(
    points: Float,
    pixels: Float,
    intrinsics: Float,
    distortion: float = 0.0,
    *,
    rounds: int,
    within: float,
    refine: bool = True,
) -> AbsolutePose | None:
    """World points (n, 3) and their pixels (n, 2) -> the camera with these intrinsics; None where none is found.

    `distortion`: k of r' = r (1 + k r^2). `rounds` of RANSAC, inliers are `within` pixels; `refine`: least squares on
    them afterwards. The same input gives the same answer.
    """
    if len(points) < LEAST_POINTS:
        return None
    points, pixels = np.ascontiguousarray(points), np.ascontiguousarray(pixels)
    coefficients = np.array([distortion, 0.0, 0.0, 0.0])
    cv2.setRNGSeed(0)
    done, turn, shift, found = cv2.solvePnPRansac(
        points,
        pixels,
        intrinsics,
        coefficients,
        iterationsCount=rounds,
        reprojectionError=within,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    if not done or found is None or len(found) < LEAST_POINTS:
        return None
    inliers = found[:, 0].astype(np.int64)
    if refine:
        turn, shift = cv2.solvePnPRefineLM(points[inliers], pixels[inliers], intrinsics, coefficients, turn, shift)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    return AbsolutePose(pose, inliers) if np.isfinite(pose).all() else None


def focals_tried(long_side: float) -> list[float]:
    """Focal lengths, pixels, from which to start where a photo's is not known."""
    return [float(focal) for focal in np.geomspace(long_side / 2, long_side * 3, FOCALS_TRIED)]
