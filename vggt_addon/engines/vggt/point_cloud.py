"""The point head's answer as a cloud: every pixel that shows something, for postprocessing to thin.

The points are the network's own, in the world of its cameras: they need not lie on the rays of their pixels, nor agree
with its depth, and an imposed focal length leaves them where they are.
This module imports nothing beyond the standard library and numpy; its neighbours import torch.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import EngineError
from ...reconstruction import PointCloud, View
from .framing import Framing
from .photo_cameras import PhotoCameras, photo_points
from .preprocess import LoadedPhotos
from .run import Answer


def head_points(
    answer: Answer,
    order: Sequence[int],
    framings: Sequence[Framing],
    pixels: LoadedPhotos,
    cameras: PhotoCameras,
    views: Mapping[int, View],
) -> PointCloud:
    """All points of the photos that were placed, view by view; `order` and `views` have places in the artist's list.

    Raises EngineError where there is none at all.
    """
    if answer.points is None or answer.points_confidence is None:
        raise ValueError("the network was run without its point head")
    number_of = {place: number for number, place in enumerate(order)}  # among the photos as the network saw them
    positions, colors, confidences, indices, footprints = [], [], [], [], []
    for index, place in enumerate(sorted(views)):
        number = number_of[place]
        framing = framings[number]
        position, confidence, pixel = photo_points(
            answer.points[number],
            answer.points_confidence[number],
            framing,
            cameras.world_from_network,
            pixels.masks[number],
        )
        positions.append(position)
        confidences.append(confidence)
        colors.append(pixels.colors[number].reshape(-1, 3)[pixel])
        indices.append(np.full(len(pixel), index, np.int32))
        footprints.append(_footprint(views[place]))
    if not any(map(len, positions)):
        raise EngineError("VGGT's point head gave no point: check the weights, or take --points-from depth.")
    return PointCloud(
        position=np.concatenate(positions),
        color=np.concatenate(colors),
        confidence=np.concatenate(confidences),
        view=np.concatenate(indices),
        spacing=float(np.median(footprints)),
    )


def _footprint(view: View) -> float:
    """World units that a grid pixel spans at the middle of the depth measured; 0 where none is."""
    assert view.depth is not None and view.photo_from_grid is not None
    known = view.depth[view.depth > 0]
    return float(np.median(known) * view.photo_from_grid[0, 0] / view.intrinsics[0, 0]) if len(known) else 0.0
