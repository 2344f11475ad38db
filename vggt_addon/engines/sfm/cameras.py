"""Cameras of the photos: climbs the ladder and maps the winner back to photo pixels.

This module imports nothing beyond the standard library and numpy.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, UnreadablePhotosError
from ...photos.photo import Photo
from ...photos.strips import open_at_once
from ...progress import Cancel, Progress, span
from ...reconstruction import Json, LeftOut, Lens, SolveReport
from ...settings import EngineSettings
from ..readable import parted
from .colmap_client import SolverError, run_attempt
from .ladder import Attempt, attempts, best, is_complete, is_sane
from .solution import Solution, SolvedLens
from .undistort import corner_displacement
from .verdict import explain_failure, explain_left_out
from .working_copies import LensFolder, plan_copies, write_copies

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlacedPhoto:
    """One photo with its camera, in pixels of the upright photo (centres at +0.5)."""

    photo: Photo
    intrinsics: NDArray[np.float64]  # (3, 3) of the picture after its distortion is taken out
    camera_from_world: NDArray[np.float64]  # (4, 4)
    distortion: float  # k of SIMPLE_RADIAL
    lens: Lens
    report: SolveReport
    track_ids: NDArray[np.int64]  # (n,) the sparse points it observes, indices into PlacedPhotos.points


@dataclass(frozen=True)
class PlacedPhotos:
    """The answer to "where were the photos taken"."""

    placed: tuple[PlacedPhoto, ...]  # in the photos' order
    left_out: tuple[LeftOut, ...]
    points: NDArray[np.float64]  # (m, 3) world: sparse points
    warnings: tuple[str, ...]
    report: dict[str, Json]


def solve_cameras(
    photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
) -> PlacedPhotos:
    """Place as many photos as can be; those that turn out to be damaged are left out and the others go on.

    Raises EngineError with a sentence where there are too few photos, they do not overlap, or the camera did not move;
    Cancelled on request.
    """
    try:
        return _solve(photos, workspace / "all", settings, progress, cancel)
    except UnreadablePhotosError as error:
        readable, left_out = parted(photos, error)
        if len(readable) < 2:
            counted = f"Only {len(readable)} of {len(photos)} photos can be read, and depth needs two."
            raise EngineError(f"{counted} {error.sentence}", repr(left_out)) from error
    placed = _solve(readable, workspace / "readable", settings, span(progress, 0.1, 1.0), cancel)
    return replace(placed, left_out=(*left_out, *placed.left_out))


def _solve(
    photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
) -> PlacedPhotos:
    if len(photos) < 2:
        raise EngineError(
            "One photo is not enough: this engine measures depth from the differences between photos. Add at least "
            "one more, taken a step to the side."
        )
    solutions = _climb(photos, workspace, settings, progress, cancel)
    winner = best([solution for solution in solutions if not solution.only_turned])
    if winner is None:
        raise EngineError(explain_failure(solutions, len(photos)), repr([_summary(solution) for solution in solutions]))
    return _in_photo_pixels(photos, winner, solutions)


def _climb(
    photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
) -> list[Solution]:
    """One solution per attempt, until one places every photo."""
    solutions: list[Solution] = []
    stopped: SolverError | None = None
    start = 0.0
    for attempt in attempts(len(photos)):
        end = start + 0.6 * (1 - start)  # nobody knows whether another attempt will follow
        try:
            solution = _attempt(attempt, photos, workspace, settings, span(progress, start, end), cancel)
        except SolverError as error:
            logger.error("attempt %s: %s\n%s", attempt.name, error.sentence, error.detail)
            stopped = error
            if error.killed:
                break
            start = end
            continue
        logger.info("%s", _summary(solution))
        solutions.append(solution)
        start = end
        if is_complete(solution, len(photos)) or solution.only_turned:
            break  # no further attempt makes a camera that only turned into one that moved
    if stopped is not None and not solutions:
        raise stopped
    progress("Placing cameras", 1.0)
    return solutions


def _attempt(
    attempt: Attempt,
    photos: Sequence[Photo],
    workspace: Path,
    settings: EngineSettings,
    progress: Progress,
    cancel: Cancel,
) -> Solution:
    lenses: tuple[LensFolder, ...] = plan_copies(photos, attempt.copy_size)
    copies = workspace / f"copies_{attempt.copy_size}"
    if not copies.exists():
        write_copies(photos, lenses, copies, open_at_once(photos, settings.threads), span(progress, 0.0, 0.1), cancel)
    return run_attempt(
        attempt,
        lenses,
        copies,
        workspace / attempt.name,
        seed=settings.seed,
        threads=settings.threads,
        sequence=settings.sequence,
        progress=span(progress, 0.1, 1.0),
        cancel=cancel,
    )


def _summary(solution: Solution) -> dict[str, Json]:
    return {
        "attempt": solution.attempt,
        "placed": len(solution.images),
        "sane": bool(solution.images) and is_sane(solution),
        "reprojection_error": round(solution.reprojection_error, 3),
        "median_triangulation_angle": round(solution.median_triangulation_angle, 2),
        "focal_ratios": [round(lens.focal / max(lens.width, lens.height), 4) for lens in solution.lenses],
    }


def _in_photo_pixels(photos: Sequence[Photo], winner: Solution, solutions: Sequence[Solution]) -> PlacedPhotos:
    lenses = plan_copies(photos, max(photo.long_side for photo in photos))  # for the copies' names, which have no size
    copy_names = {copy.photo: copy.name for lens in lenses for copy in lens.copies}
    image_numbers = {image.name: number for number, image in enumerate(winner.images)}
    placed, left_out = [], []
    for index, photo in enumerate(photos):
        number = image_numbers.get(copy_names[index])
        if number is None:
            left_out.append(LeftOut(photo.name, explain_left_out(copy_names[index], winner)))
        else:
            placed.append(_place(photo, winner, number))
    errors = [view.report.reprojection_error or 0.0 for view in placed]
    return PlacedPhotos(
        placed=tuple(placed),
        left_out=tuple(left_out),
        points=winner.points,
        warnings=_warnings(winner),
        report={
            "attempt": winner.attempt,
            "attempts": [_summary(solution) for solution in solutions],
            "photos_placed": len(placed),
            "photos_given": len(photos),
            "reprojection_error": float(np.mean(errors)),
            "median_triangulation_angle": winner.median_triangulation_angle,
            "sparse_points": len(winner.points),
        },
    )


def _place(photo: Photo, winner: Solution, number: int) -> PlacedPhoto:
    image = winner.images[number]
    lens = winner.lenses[image.lens]
    scale = photo.long_side / max(lens.width, lens.height)
    focal = lens.focal * scale
    # The copies are cut equally on both sides, so their centre, where COLMAP holds the principal point, is the photo's.
    intrinsics = np.array([[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]], np.float64)
    parameters = (focal, photo.width / 2, photo.height / 2, *lens.parameters[3:])
    return PlacedPhoto(
        photo=photo,
        intrinsics=intrinsics,
        camera_from_world=np.array(image.camera_from_world, np.float64),
        distortion=lens.distortion,
        lens=Lens(lens.model, parameters, corner_displacement(photo.width, photo.height, intrinsics, lens.distortion)),
        report=SolveReport(
            focal_source="held" if lens.held else "solved",
            focal_prior=photo.focal_prior.pixels if photo.focal_prior else None,
            focal_uncertain=_focal_is_uncertain(winner, lens),
            reprojection_error=image.reprojection_error * scale,
            observations=image.observations,
        ),
        track_ids=winner.observation_point[winner.observation_image == number],
    )


def _focal_is_uncertain(winner: Solution, lens: SolvedLens) -> bool:
    """Kept from EXIF, or hardly constrained: by two photos, or by the motion (often straight ahead) that made only an
    attempt with a simplified lens succeed."""
    return lens.held or len(winner.images) == 2 or lens.model == "SIMPLE_PINHOLE"


def _warnings(winner: Solution) -> tuple[str, ...]:
    if any(lens.held for lens in winner.lenses):
        return ("The photos do not determine the focal length; the one from EXIF was kept.",)
    if len(winner.images) == 2:
        return ("Two photos determine the focal length only roughly: add a third for cameras to rely on.",)
    if any(_focal_is_uncertain(winner, lens) for lens in winner.lenses):
        return ("The photos determine the focal length only roughly: the camera moved too little to the side.",)
    return ()
