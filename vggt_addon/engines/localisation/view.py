"""A photo whose camera was found becomes a view: its picture, and its depth measured against the capture's views.

This module imports nothing beyond the standard library and numpy; its neighbours import Pillow and OpenCV.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...geometry.raster import fit_raster
from ...photos.photo import Photo
from ...photos.strips import threads
from ...progress import Cancel, Progress
from ...reconstruction import Lens, View
from ...settings import EngineSettings
from ..sfm.cameras import PlacedPhoto
from ..sfm.dense.estimate import DenseSettings, DenseView, DepthMap, estimate_depth
from ..sfm.engine import dense_view, view_of
from ..sfm.pictures import make_picture
from ..sfm.undistort import corner_displacement
from .camera import FoundCamera


@dataclass(frozen=True)
class Shared:
    """Points that the photo shares with the views of a capture."""

    points: NDArray[np.float64]  # (n, 3) world
    seen_by: dict[int, NDArray[np.int64]]  # of each view that knows some, by its index: which of the points


def make_view(
    views: Sequence[View],
    photo: Photo,
    camera: FoundCamera,
    shared: Shared,
    folder: Path,
    settings: EngineSettings,
    progress: Progress,
    cancel: Cancel,
) -> View:
    """The photo with its picture, left in `folder`, and depth. Raises PhotoError where its file is gone, Cancelled."""
    placed = _placed(photo, camera, len(shared.points))
    size = max((max(view.depth.shape) for view in views if view.depth is not None), default=settings.depth_size)
    raster = fit_raster(photo.width, photo.height, size)
    picture = make_picture(placed, raster, folder, settings.texture_size)
    others: list[DenseView] = []
    held: dict[int, DepthMap] = {}
    for index, seen in shared.seen_by.items():
        view = views[index]
        if view.depth is not None and view.confidence is not None and view.color is not None:
            held[len(others)] = DepthMap(view.depth, view.confidence)
            others.append(_known_view(view, seen))
    depth_maps = estimate_depth(
        [*others, dense_view(placed, raster, picture)],
        shared.points,
        DenseSettings(threads=threads(settings.threads)),
        progress,
        cancel,
        held,
    )
    return view_of(placed, raster, picture, depth_maps[-1])


def _placed(photo: Photo, camera: FoundCamera, points: int) -> PlacedPhoto:
    focal, center_x, center_y = (float(camera.intrinsics[place]) for place in ((0, 0), (0, 2), (1, 2)))
    corner = corner_displacement(photo.width, photo.height, camera.intrinsics, camera.distortion)
    lens = Lens("SIMPLE_RADIAL", (focal, center_x, center_y, camera.distortion), corner)
    if not camera.distortion:
        lens = Lens("SIMPLE_PINHOLE", (focal, center_x, center_y), 0.0)
    return PlacedPhoto(
        photo=photo,
        intrinsics=camera.intrinsics,
        camera_from_world=camera.camera_from_world,
        distortion=camera.distortion,
        lens=lens,
        report=camera.report,
        track_ids=np.arange(points),
    )


def _known_view(view: View, track_ids: NDArray[np.int64]) -> DenseView:
    assert view.color is not None and view.photo_from_grid is not None
    return DenseView(
        name=view.name,
        color=view.color,
        mask=view.mask,
        intrinsics=np.linalg.inv(view.photo_from_grid) @ view.intrinsics,
        camera_from_world=view.camera_from_world,
        track_ids=track_ids,
    )
