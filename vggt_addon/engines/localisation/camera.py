"""The camera of one photo from what it sees: points of the world at its pixels.

This module imports numpy and OpenCV.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...photos.photo import Photo
from ...reconstruction import SolveReport, View
from ..absolute_pose import AbsolutePose, absolute_pose, focals_tried

Float = NDArray[np.float64]

FIRST_WITHIN = 0.004  # of the long side: how far from where it is seen a point may land, for RANSAC
WITHIN = (0.003, 0.002, 0.0015)  # the same, in each round of least squares
LEAST_POINTS = 30  # that a camera rests on
LEAST_FOR_LENS = 100  # from which on focal length and distortion are solved, too
FOCAL_IN_DOUBT = 0.02  # relative standard deviation from which on a focal length is not solved
ROUNDS = 1000  # of RANSAC
ROUNDS_A_FOCAL = 200  # where many focal lengths are tried


@dataclass(frozen=True)
class FoundCamera:
    """A photo's camera, in pixels of the upright photo (centres at +0.5)."""

    intrinsics: Float  # (3, 3)
    distortion: float  # k of r' = r (1 + k r^2)
    camera_from_world: Float  # (4, 4) rigid, OpenCV camera axes
    inliers: NDArray[np.int64]  # (m,) which of the points it rests on
    report: SolveReport


@dataclass(frozen=True)
class _Lens:
    """What is believed of a photo's lens before its camera is known."""

    intrinsics: Float  # (3, 3)
    distortion: float
    source: str  # as SolveReport.focal_source
    uncertain: bool
    free: bool  # whether focal length and distortion are to be solved
    rounds: int


def find_camera(photo: Photo, views: Sequence[View], points: Float, pixels: Float) -> FoundCamera | None:
    """The camera that sees world points (n, 3) at the photo's pixels (n, 2); None where too few agree on one.

    The lens is that of a view of the same size whose file claims the same focal length; where there is none, or it
    does not fit, it is solved, starting at what the photo's own file claims.
    """
    if len(points) < LEAST_POINTS:
        return None
    middle = np.median(points, axis=0)  # OpenCV solves lenses in float32, and a world may be far from zero
    points = points - middle
    for lenses in _beliefs(photo, views):
        poses = [_pose(photo, lens, points, pixels) for lens in lenses]
        inliers = [0 if pose is None else len(pose.inliers) for pose in poses]
        best = int(np.argmax(inliers))
        pose = poses[best]
        if pose is None or inliers[best] < LEAST_POINTS:
            continue
        found = _refined(photo, lenses[best], pose, points, pixels)
        if found is not None:
            camera_from_world = found.camera_from_world.copy()
            camera_from_world[:3, 3] -= camera_from_world[:3, :3] @ middle
            return replace(found, camera_from_world=camera_from_world)
    return None


def _beliefs(photo: Photo, views: Sequence[View]) -> Iterator[list[_Lens]]:
    """What to try together, the likeliest first."""
    shared = _shared(photo, views)
    if shared is not None:
        yield [shared]
    if photo.focal_prior is not None:
        yield [_solved(photo, photo.focal_prior.pixels, ROUNDS)]
    yield [_solved(photo, focal, ROUNDS_A_FOCAL) for focal in focals_tried(photo.long_side)]


def _shared(photo: Photo, views: Sequence[View]) -> _Lens | None:
    """The lens of the views like the photo; of several the one of the middle focal length."""
    prior = photo.focal_prior.pixels if photo.focal_prior else None
    alike = [
        view
        for view in views
        if (view.width, view.height) == (photo.width, photo.height) and view.report.focal_prior == prior
    ]
    if not alike:
        return None
    view = sorted(alike, key=lambda view: view.intrinsics[0, 0])[len(alike) // 2]
    distortion = view.lens.parameters[3] if view.lens is not None and view.lens.model == "SIMPLE_RADIAL" else 0.0
    report = view.report
    return _Lens(view.intrinsics, distortion, report.focal_source, report.focal_uncertain, False, ROUNDS)


def _solved(photo: Photo, focal: float, rounds: int) -> _Lens:
    intrinsics = np.array([[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]], np.float64)
    return _Lens(intrinsics, 0.0, "solved", False, True, rounds)


def _pose(photo: Photo, lens: _Lens, points: Float, pixels: Float) -> AbsolutePose | None:
    within = FIRST_WITHIN * photo.long_side
    return absolute_pose(points, pixels, lens.intrinsics, lens.distortion, rounds=lens.rounds, within=within)


def _refined(photo: Photo, lens: _Lens, pose: AbsolutePose, points: Float, pixels: Float) -> FoundCamera | None:
    """Least squares on the points that land close, round by round closer; None where too few do."""
    intrinsics, distortion = lens.intrinsics, lens.distortion
    turn = _float(cv2.Rodrigues(pose.camera_from_world[:3, :3])[0])
    shift = pose.camera_from_world[:3, 3:].copy()
    inliers, doubt = pose.inliers, lens.uncertain or lens.free
    for within in WITHIN:
        seen = points[inliers], pixels[inliers]
        solved = _with_lens(photo, *seen, intrinsics, distortion) if lens.free else None
        if solved is not None:
            (intrinsics, distortion, turn, shift), doubt = solved, False
        else:
            turns = cv2.solvePnPRefineLM(*seen, intrinsics, _coefficients(distortion), turn, shift)
            turn, shift = map(_float, turns)
        rotation = cv2.Rodrigues(turn)[0]
        landed = cv2.projectPoints(points, turn, shift, intrinsics, _coefficients(distortion))[0][:, 0]
        error = np.linalg.norm(landed - pixels, axis=1)
        before = (points @ rotation.T + shift[:, 0])[:, 2] > 0
        inliers = np.flatnonzero(before & (error < within * photo.long_side))
        if len(inliers) < LEAST_POINTS:
            return None
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = rotation, shift[:, 0]
    report = SolveReport(
        focal_source="held" if lens.free and doubt and photo.focal_prior else lens.source,
        focal_prior=photo.focal_prior.pixels if photo.focal_prior else None,
        focal_uncertain=doubt,
        reprojection_error=float(error[inliers].mean()),
        observations=len(inliers),
    )
    return FoundCamera(intrinsics, float(distortion), camera_from_world, inliers, report)


def _with_lens(
    photo: Photo, points: Float, pixels: Float, intrinsics: Float, distortion: float
) -> tuple[Float, float, Float, Float] | None:
    """Focal length, distortion and pose by least squares (Zhang 2000, with one picture of known points).

    None where the points, too few or in one plane, hardly tell the focal length.
    """
    if len(points) < LEAST_FOR_LENS:
        return None
    kept = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_PRINCIPAL_POINT | cv2.CALIB_FIX_ASPECT_RATIO
    kept |= cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    noise, solved, coefficients, turns, shifts = cv2.calibrateCamera(
        [points.astype(np.float32)],
        [pixels.astype(np.float32)],
        (photo.width, photo.height),
        intrinsics.copy(),
        _coefficients(distortion),
        flags=kept,
    )
    changes = _float(cv2.projectPoints(points, turns[0], shifts[0], solved, coefficients)[1])
    # Columns: turn, shift, both focal lengths, principal point, distortion. What of the focal length's no other can
    # make up for is the last of the triangle; OpenCV's own deviations are wrong where that is nothing.
    free = np.column_stack([changes[:, :6], changes[:, 10], changes[:, 6] + changes[:, 7]])
    told = abs(float(np.asarray(np.linalg.qr(free, mode="r"))[-1, -1]))
    if not noise < FOCAL_IN_DOUBT * solved[0, 0] * told:
        return None
    return _float(solved), float(coefficients.ravel()[0]), _float(turns[0]), _float(shifts[0])


def _float(result: object) -> Float:
    """OpenCV's stubs know no dtype; what is solved here is float64."""
    return np.asarray(result, np.float64)


def _coefficients(distortion: float) -> Float:
    """As OpenCV takes them."""
    return np.array([distortion, 0.0, 0.0, 0.0, 0.0])
