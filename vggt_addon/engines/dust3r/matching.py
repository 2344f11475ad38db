"""Which pixels of two photos show the same point: mutual nearest neighbours in space (DUSt3R, section 3.3).

This module imports torch, numpy and OpenCV.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_K_D_TREE: dict[str, bool | int | float | str] = {
    "algorithm": 4,
    "leaf_max_size": 10,
}  # FLANN's single tree, which is exact
_EXACT: dict[str, bool | int | float | str] = {"checks": -1, "eps": 0.0, "sorted": False}


def mutual_nearest(first: Tensor, second: Tensor) -> Tensor:
    """Points (3, P) and (3, Q) of one frame -> pairs of indices (m, 2), each the nearest of the other, by the first."""
    if not first.shape[1] or not second.shape[1]:
        return torch.zeros(0, 2, dtype=torch.long)
    ours, theirs = (
        np.ascontiguousarray(points.T.detach().cpu().numpy(), dtype=np.float32) for points in (first, second)
    )
    nearest, back = _nearest(ours, theirs), _nearest(theirs, ours)
    own = np.arange(len(ours))
    mutual = back[nearest] == own
    return torch.from_numpy(np.stack([own[mutual], nearest[mutual]], axis=1))


def matched_pixels(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], least_confidence: float = 1.5
) -> Tensor:
    """Of two maps of one pair, points (3, P) and confidence (P,), those pixels that match: (m, 2) flat indices.

    Pixels less sure than `least_confidence` take no part.
    """
    kept = [torch.nonzero(confidence >= least_confidence)[:, 0] for _, confidence in (first, second)]
    pairs = mutual_nearest(first[0][:, kept[0]], second[0][:, kept[1]])
    return torch.stack([kept[0][pairs[:, 0]], kept[1][pairs[:, 1]]], dim=1)


def _nearest(points: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.int64]:
    """(P,) index of the nearest of `among` (Q, 3) for each point (P, 3)."""
    found, _ = cv2.flann.Index(among, _K_D_TREE).knnSearch(points, 1, params=_EXACT)
    return np.asarray(found[:, 0], np.int64)
