"""What the views of a capture know: details of their pictures whose places in the world their depth tells.

This module imports nothing beyond the standard library and numpy; its neighbours import Pillow and OpenCV.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import PhotoError
from ...geometry.projection import unproject
from ...photos.read import decode, probe
from ...reconstruction import View
from .features import LONG_SIDE, Features, find_features

logger = logging.getLogger(__name__)
Float = NDArray[np.float64]

LEAST_CONFIDENCE = 0.1  # of the depth at a detail
ONE_SURFACE = 0.03  # relative: the four depths around a detail differ by less, or it lies on a silhouette


@dataclass(frozen=True)
class Landmarks:
    """Details of one view, by index."""

    features: Features  # of the view's picture, which has no distortion
    points: Float  # (n, 3) world; NaN where the depth is not known


def landmarks(view: View) -> Landmarks | None:
    """The details of a view; None where it has no depth, or its picture is gone or another one."""
    if view.depth is None:
        return None
    try:
        file = probe(view.photo)
        if abs(file.width * view.height - file.height * view.width) > max(view.width, view.height):
            raise PhotoError(f"{view.photo} has another shape than the photo that was placed.")
        picture = decode(file, at_least=LONG_SIDE)
    except PhotoError as error:
        logger.warning("%s is not compared with: %s", view.name, error.sentence)
        return None
    features = find_features(picture, view.width)
    return Landmarks(features, _points(view, features.pixels))


def _points(view: View, pixels: Float) -> Float:
    """World points (n, 3) that the view has at photo pixels (n, 2); NaN where unknown."""
    assert view.depth is not None and view.confidence is not None and view.photo_from_grid is not None
    grid_from_photo = np.linalg.inv(view.photo_from_grid)
    place = pixels @ grid_from_photo[:2, :2].T + grid_from_photo[:2, 2] - 0.5
    height, width = view.depth.shape
    depth = np.full(len(pixels), np.nan)
    corner = np.floor(place).astype(np.int64)
    inside = ((corner >= 0) & (corner < [width - 1, height - 1])).all(axis=1)
    (column, row), part = corner[inside].T, place[inside] - corner[inside]
    around = np.stack([view.depth[row + down, column + over] for down in (0, 1) for over in (0, 1)]).astype(np.float64)
    across, down = part.T
    weights = np.stack([(1 - across) * (1 - down), across * (1 - down), (1 - across) * down, across * down])
    sure = view.confidence[np.rint(place[inside, 1]).astype(int), np.rint(place[inside, 0]).astype(int)]
    known = (around.min(axis=0) > 0) & (np.ptp(around, axis=0) < ONE_SURFACE * around.max(axis=0))
    depth[inside] = np.where(known & (sure >= LEAST_CONFIDENCE), (weights * around).sum(axis=0), np.nan)
    return unproject(view.intrinsics, view.camera_from_world, pixels, depth)
