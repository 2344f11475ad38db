"""One photo, and two: what needs no alignment (DUSt3R, section 3.3).

A single photo is paired with itself, and its own map is its depth. Of two photos the pair of which the network is surer
is the world; the other photo stands where PnP finds it from its points in that pair.
This module imports torch; its neighbour imports OpenCV.
"""

import torch
from torch import Tensor

from ...errors import EngineError
from .alignment import Aligned, joined
from .focal import robust_focal_length
from .optimise import NOT_NEEDED
from .output import PointMap
from .pair_maps import PairMaps
from .pnp import locate
from .unknowns import Fixed

PNP_ROUNDS = 100


def solve_one(said: PointMap, pixels: Tensor, fixed: Fixed) -> Aligned:
    """A photo's own map (H, W, ...) and its pixels (2, P) from the middle.

    Raises EngineError where the map shows nothing.
    """
    points, confidence = said.points.reshape(-1, 3).T, said.confidence.reshape(-1)
    focal = fixed.focals.get(0) or robust_focal_length(points, pixels, confidence.log())
    if focal is None:
        raise EngineError("DUSt3R sees nothing in this photo: use another one, or check the weights.")
    identity = torch.eye(4, dtype=torch.float64)[None]
    return Aligned((0,), identity, (focal,), (_along(points, confidence),), (confidence,), (), NOT_NEEDED)


def solve_two(maps: PairMaps, fixed: Fixed) -> Aligned | None:
    """Both photos of the pairs (0, 1) and (1, 0); None where that finds no place for one of them,
    or the network is sure of nothing that joins them.

    Raises EngineError where a map shows nothing.
    """
    scores = maps.scores()
    best = max(range(len(maps.edges)), key=lambda number: scores[number])
    own, other = maps.edges[best]
    focals = {}
    for number, (picture, _) in enumerate(maps.edges):
        points, confidence = maps.map(number, 0)
        found = fixed.focals.get(picture) or robust_focal_length(points, maps.pixels[picture], confidence.log())
        if found is None:
            raise EngineError("DUSt3R sees nothing in one of the photos: use others, or check the weights.")
        focals[picture] = found
    if len(joined(maps)) < 2:
        return None
    if fixed.focal_groups is not None and fixed.focal_groups[0] == fixed.focal_groups[1]:
        focals = _one_focal(focals, fixed)
    points, confidence = maps.map(best, 1)
    told = confidence > min(float(confidence.median()), 3.0)
    place = locate(points[:, told], maps.pixels[other][:, told], focals[other], maps.long_sides[other], PNP_ROUNDS)
    if place is None:
        return None
    cameras = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    cameras[other] = place.world_from_camera
    seen = [torch.empty(0), torch.empty(0)]
    seen[own] = maps.map(best, 0)[0]
    turn, centre = (part.float() for part in (cameras[other, :3, :3], cameras[other, :3, 3:]))
    seen[other] = turn.T @ (points - centre)
    sure = [maps.best_confidence(picture) for picture in range(2)]
    depth = tuple(_along(seen[picture], sure[picture]) for picture in range(2))
    return Aligned((0, 1), cameras, (focals[0], focals[1]), depth, tuple(sure), ((own, other),), NOT_NEEDED)


def _one_focal(focals: dict[int, float], fixed: Fixed) -> dict[int, float]:
    known = list(fixed.focals.values())
    shared = known[0] if known else sum(focals.values()) / len(focals)
    return dict.fromkeys(focals, shared)


def _along(points: Tensor, confidence: Tensor) -> Tensor:
    """(P,) depth along the axis; 0 where the photo shows nothing, or the point lies behind."""
    return torch.where((confidence > 1) & (points[2] > 0), points[2], 0.0)
