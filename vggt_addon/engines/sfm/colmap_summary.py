"""From pycolmap's models and database to our own `Solution`.

This module imports nothing beyond the standard library, numpy and pycolmap; never Pillow.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from .ladder import Attempt
from .solution import MatchedPair, Solution, SolvedImage, SolvedLens
from .turning import ONLY_TURNED, turn_residual

_ANGLE_SAMPLES = 4000  # points from which the median triangulation angle is taken


def summarize(models: list[Any], database: Path, lenses: dict[str, dict[str, Any]], attempt: Attempt) -> Solution:
    """The largest model (most photos, then most points) in full; the names in the others; all matched pairs."""
    pairs = _matched_pairs(database)
    models = sorted(models, key=lambda model: (model.num_reg_images(), model.num_points3D()), reverse=True)
    models = [model for model in models if model.num_reg_images() >= 2]
    if not models:
        return Solution(attempt.name, pairs=pairs)
    model = models[0]
    images = sorted((model.image(i) for i in model.reg_image_ids()), key=lambda image: image.name)
    camera_ids = sorted({image.camera_id for image in images})
    point_ids = sorted(model.point3D_ids())
    index_of_point = {point_id: index for index, point_id in enumerate(point_ids)}
    points = np.array([model.point3D(i).xyz for i in point_ids], np.float64).reshape(-1, 3)
    solved, observation_image, observation_point = [], [], []
    for number, image in enumerate(images):
        seen = image.get_observation_points2D()
        indices = np.array([index_of_point[point.point3D_id] for point in seen], np.int64)
        pixels = np.array([point.xy for point in seen], np.float64).reshape(-1, 2)
        camera_from_world = np.eye(4)
        camera_from_world[:3] = image.cam_from_world().matrix()
        in_camera = points[indices] @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        errors = np.linalg.norm(image.camera.img_from_cam(in_camera) - pixels, axis=1) if len(pixels) else np.zeros(1)
        solved.append(
            SolvedImage(
                name=image.name,
                lens=camera_ids.index(image.camera_id),
                camera_from_world=tuple(tuple(row) for row in camera_from_world.tolist()),
                reprojection_error=float(np.nanmean(errors)),
                observations=len(pixels),
            )
        )
        observation_image.append(np.full(len(indices), number, np.int64))
        observation_point.append(indices)
    folder_of = {image.camera_id: image.name.split("/")[0] for image in images}
    seen_from, seen_point = np.concatenate(observation_image), np.concatenate(observation_point)
    centers = np.array([image.projection_center() for image in images])
    return Solution(
        attempt=attempt.name,
        images=tuple(solved),
        lenses=tuple(_lens(model.camera(i), lenses[folder_of[i]], attempt) for i in camera_ids),
        pairs=pairs,
        other_models=tuple(tuple(sorted(other.image(i).name for i in other.reg_image_ids())) for other in models[1:]),
        reprojection_error=float(model.compute_mean_reprojection_error()),
        median_triangulation_angle=_median_angle(points, centers, seen_from, seen_point),
        points=points,
        observation_image=seen_from,
        observation_point=seen_point,
    )


def _lens(camera: Any, lens: dict[str, Any], attempt: Attempt) -> SolvedLens:
    return SolvedLens(
        folder=lens["folder"],
        model=camera.model_name,
        width=camera.width,
        height=camera.height,
        parameters=tuple(float(value) for value in camera.params),
        prior=lens["prior"],
        held=attempt.hold_focal and lens["prior"] is not None and abs(camera.params[0] / lens["prior"] - 1) < 1e-9,
    )


def _matched_pairs(database: Path) -> tuple[MatchedPair, ...]:
    pairs = []
    with pycolmap.Database.open(database) as db:
        images = {image.image_id: image for image in db.read_all_images()}
        cameras = {camera.camera_id: camera for camera in db.read_all_cameras()}
        keypoints = {i: db.read_keypoints(i)[:, :2] for i in images if db.exists_keypoints(i)}
        for pair_id, geometry in zip(*db.read_two_view_geometries(), strict=True):
            if len(geometry.inlier_matches) == 0:
                continue
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            matches = np.asarray(geometry.inlier_matches)
            shift = np.linalg.norm(keypoints[first][matches[:, 0]] - keypoints[second][matches[:, 1]], axis=1)
            camera, other = cameras[images[first].camera_id], cameras[images[second].camera_id]
            pairs.append(
                MatchedPair(
                    first=images[first].name,
                    second=images[second].name,
                    configuration=_configuration(geometry, camera, other),
                    inliers=len(matches),
                    median_shift=float(np.median(shift)) / max(camera.width, camera.height),
                )
            )
    return tuple(pairs)


def _configuration(geometry: Any, first: Any, second: Any) -> str:
    """COLMAP's name for the geometry, with PLANAR_OR_PANORAMIC (what it says without a known lens) decided."""
    name = str(pycolmap.TwoViewGeometryConfiguration(geometry.config).name)
    if name != "PLANAR_OR_PANORAMIC" or geometry.H is None:
        return name
    residual = turn_residual(
        np.asarray(geometry.H, np.float64), (first.width, first.height), (second.width, second.height)
    )
    return "PANORAMIC" if residual < ONLY_TURNED else "PLANAR"


def _median_angle(
    points: NDArray[np.float64],
    centers: NDArray[np.float64],
    seen_from: NDArray[np.int64],
    seen_point: NDArray[np.int64],
) -> float:
    """Degrees: for each point the widest angle between two of its rays; the median over (a sample of) the points."""
    order = np.argsort(seen_point, kind="stable")
    starts = np.searchsorted(seen_point[order], np.arange(len(points) + 1))
    angles = []
    for point in range(0, len(points), max(1, len(points) // _ANGLE_SAMPLES)):
        rays = centers[seen_from[order[starts[point] : starts[point + 1]]]] - points[point]
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1.0, 1.0))))
    return float(np.median(angles)) if angles else 0.0
