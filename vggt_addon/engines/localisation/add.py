"""Photos added to a capture, one after the other: each may lean on those added before it.

Nothing of the capture moves. Cameras: details matched by SIFT, whose places in the world the capture's depth tells, and
PnP. Depth and confidence: those of the embedded engine (`sfm.dense.estimate`) with the other cameras and depths held.
This module imports nothing beyond the standard library and numpy; its neighbours import Pillow and OpenCV.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, PhotoError
from ...photos.masks import mask, mask_in
from ...photos.photo import Photo
from ...photos.read import decode
from ...progress import Cancel, Progress, check, span
from ...reconstruction import LeftOut, Reconstruction, View
from ...settings import EngineSettings
from .camera import LEAST_POINTS, FoundCamera, find_camera
from .features import LONG_SIDE, consistent, find_features, match
from .landmarks import Landmarks, landmarks
from .view import Shared, make_view

logger = logging.getLogger(__name__)
Float = NDArray[np.float64]

KNOWN_SHARE = 0.4  # of the work: looking at the capture's own photos


@dataclass(frozen=True)
class _Sightings:
    """Points of the capture that a photo seems to show."""

    points: Float  # (n, 3) world
    pixels: Float  # (n, 2) of the photo
    feature: NDArray[np.int64]  # (n,) index of the photo's detail: one may be known from several views
    view: NDArray[np.int64]  # (n,) index of the view that knows it
    views: int  # how many views agree with the photo, whether they know depth there or not


def add_photos(
    capture: Reconstruction,
    photos: Sequence[Photo],
    workspace: Path,
    settings: EngineSettings,
    progress: Progress,
    cancel: Cancel,
) -> tuple[tuple[View, ...], tuple[LeftOut, ...]]:
    """The views that `photos` are of the capture's world, and those that cannot be placed, with the reason.

    `workspace`: an empty folder; pictures that had to be made lie in it and are named by the views. Of `settings` the
    threads and the texture's size count; depth grids are as large as the capture's. Raises EngineError where nothing is
    left of the capture to compare with, Cancelled.
    """
    known: list[Landmarks | None] = []
    for number, view in enumerate(capture.views):
        check(cancel)
        progress("Comparing photos", KNOWN_SHARE * number / len(capture.views))
        known.append(landmarks(view))
    if not any(known):
        raise EngineError(
            "None of the capture's photos can be compared with: put them back where they were, or reconstruct all "
            "photos together.",
            repr([str(view.photo) for view in capture.views[:10]]),
        )
    views = list(capture.views)
    left_out: dict[str, LeftOut] = {}
    waiting, start, placed = list(photos), KNOWN_SHARE, True
    while waiting and placed:  # a photo that overlaps only with another of the new ones is placed after that
        placed = False
        again: list[Photo] = []
        for number, photo in enumerate(waiting):
            end = start + (1 - start) / (len(waiting) - number + len(again))
            part, start = span(progress, start, end), end
            try:
                view = _add(views, known, photo, workspace / f"{len(views):05d}", settings, part, cancel)
            except PhotoError as error:
                again.append(photo)
                left_out[photo.name] = LeftOut(photo.name, error.sentence)
                continue
            left_out.pop(photo.name, None)
            views.append(view)
            known.append(landmarks(view))
            placed = True
        waiting = again
    progress("Measuring depth", 1.0)
    return tuple(views[len(capture.views) :]), tuple(left_out.values())


def _add(
    views: Sequence[View],
    known: Sequence[Landmarks | None],
    photo: Photo,
    folder: Path,
    settings: EngineSettings,
    progress: Progress,
    cancel: Cancel,
) -> View:
    """Raises PhotoError, Cancelled."""
    sightings = _sightings(photo, views, known, span(progress, 0.0, 0.3), cancel)
    camera = find_camera(photo, views, sightings.points, sightings.pixels)
    if camera is None:
        raise _nowhere(photo, sightings)
    logger.info("%s: %d of %d details agree", photo.name, len(camera.inliers), len(sightings.points))
    shared, part = _shared(sightings, camera), span(progress, 0.3, 1.0)
    return make_view(views, photo, camera, shared, folder, settings, part, cancel)


def _shared(sightings: _Sightings, camera: FoundCamera) -> Shared:
    """The points that the camera rests on, each detail of the photo as one."""
    kept = camera.inliers
    _, first, point = np.unique(sightings.feature[kept], return_index=True, return_inverse=True)
    views = sightings.view[kept]
    return Shared(
        points=sightings.points[kept[first]],
        seen_by={int(view): np.unique(point[views == view]) for view in np.unique(views)},
    )


def _sightings(
    photo: Photo, views: Sequence[View], known: Sequence[Landmarks | None], progress: Progress, cancel: Cancel
) -> _Sightings:
    """What the photo shares with every view."""
    pixels = decode(photo, at_least=LONG_SIDE)
    used = mask(photo)
    features = find_features(pixels, photo.width, None if used is None else _at(used, pixels.shape[:2]))
    points, at, of, by = [np.zeros((0, 3))], [np.zeros((0, 2))], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    agreeing = 0
    for index, (view, its) in enumerate(zip(views, known, strict=True)):
        check(cancel)
        progress("Comparing photos", index / len(views))
        if its is None:
            continue
        sides = photo.long_side, max(view.width, view.height)
        pairs = consistent(features, its.features, match(features, its.features), sides)
        agreeing += len(pairs) > 0
        pairs = pairs[np.isfinite(its.points[pairs[:, 1], 0])]
        points.append(its.points[pairs[:, 1]])
        at.append(features.pixels[pairs[:, 0]])
        of.append(pairs[:, 0])
        by.append(np.full(len(pairs), index, np.int64))
    return _Sightings(np.concatenate(points), np.concatenate(at), np.concatenate(of), np.concatenate(by), agreeing)


def _at(used: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mask, as `photos.masks` has them, at another size (h, w), 0 where the photo is not used."""
    whole = (0.0, 0.0, float(used.shape[1]), float(used.shape[0]))
    return mask_in(used, whole, (shape[1], shape[0])).astype(np.uint8)


def _nowhere(photo: Photo, sightings: _Sightings) -> PhotoError:
    told = f"{len(sightings.points)} details, {sightings.views} views"
    if not sightings.views:
        return PhotoError(
            f"{photo.name} shows nothing that the capture's photos show: add a photo that overlaps with one of them.",
            told,
        )
    return PhotoError(
        f"{photo.name} shows too little of what the capture knows the place of ({len(np.unique(sightings.feature))} "
        f"details; a camera needs {LEAST_POINTS} that agree): add a photo from nearer to one of the others.",
        told,
    )
