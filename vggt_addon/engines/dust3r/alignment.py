"""Global alignment: all pairs' maps into one world with a camera for every picture (DUSt3R, section 3.4).

This module imports torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...errors import EngineError
from ...progress import Cancel, Progress, check, never, no_progress, span
from .depths import depth_along_rays
from .initialisation import Start, first_depths, move_to_known, normalise, start_from_tree
from .loss import AlignmentLoss
from .optimise import OptimiserSettings, Outcome, optimise
from .pair_maps import PairMaps
from .pairs import Edge, components
from .registration import Similarity
from .unknowns import NOTHING_FIXED, Fixed, Unknowns, quaternion, stored_pose, stored_translations

MOST_VALUES = 2_000_000  # pixels of all maps together that poses are found from; depth is then found for every pixel
NOTHING_SEEN = 0.01  # mean log confidence of a map below which its pair joins nothing


@dataclass(frozen=True)
class AlignmentSettings:
    """How to align."""

    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    published_start: bool = False  # the published initialisation, its slip included
    most_values: int = MOST_VALUES  # 0: every pixel takes part in finding the poses


@dataclass(frozen=True)
class Aligned:
    """The cameras and depth of n pictures in one world. Of pictures that are joined to no others: nothing."""

    pictures: tuple[int, ...]  # m of the n that were given: those that were placed
    world_from_camera: Tensor  # (m, 4, 4) float64 on the CPU, rigid, OpenCV axes
    focals: tuple[float, ...]  # m, pixels of the pictures
    depth: tuple[Tensor, ...]  # m times (P,) float32 along the axis; 0 unknown
    confidence: tuple[Tensor, ...]  # m times (P,) float32, from 1 up: the highest of the picture's maps
    tree: tuple[Edge, ...]  # the pairs that it started from
    outcome: Outcome


def align(
    maps: PairMaps,
    fixed: Fixed = NOTHING_FIXED,
    settings: AlignmentSettings = AlignmentSettings(),
    progress: Progress = no_progress,
    cancel: Cancel = never,
    device: torch.device | None = None,
) -> Aligned:
    """Cameras and depth from the maps of all pairs; of the largest group of pictures, where pairs do not join them all.

    `device`: where the poses are found (None: where the maps are). Raises EngineError where no two pictures show
    anything in common; Cancelled.
    """
    placed = joined(maps)
    if len(placed) < 2:
        raise EngineError(
            "DUSt3R is sure of nothing that two of these photos share: use photos that overlap, or are sharper."
        )
    if len(placed) < len(maps.pixels):
        maps, fixed = maps.restricted(placed), _restricted(fixed, placed)
    coarse = _thinned(maps, settings.most_values)
    if device is not None:
        coarse = coarse.to(device)
    start = start_from_tree(coarse, fixed, published=settings.published_start)
    normalise(start)
    move_to_known(start, fixed.poses)
    unknowns = unknowns_from(coarse, start, fixed, published=settings.published_start)
    outcome = optimise(unknowns, AlignmentLoss(coarse), settings.optimiser, span(progress, 0.0, 0.9), cancel)
    progress("Aligning the pairs", 0.9)
    return _finished(maps, _Solved(placed, unknowns, start.tree, outcome), cancel)


@dataclass(frozen=True)
class _Solved:
    """What the optimisation leaves behind."""

    pictures: Sequence[int]  # of those that were given
    unknowns: Unknowns
    tree: Sequence[Edge]
    outcome: Outcome


def joined(maps: PairMaps) -> list[int]:
    """The largest group of pictures that pairs join of which the network is sure."""
    sure = [confidence.log().mean(dim=1).tolist() for confidence in maps.confidence]
    telling = []
    for number, edge in enumerate(maps.edges):
        places = [maps.where[number, side] for side in (0, 1)]
        if all(sure[picture][row] > NOTHING_SEEN for picture, row in places):
            telling.append(edge)
    return components(len(maps.pixels), telling)[0]


def _restricted(fixed: Fixed, pictures: Sequence[int]) -> Fixed:
    return replace(
        fixed,
        poses={new: fixed.poses[old] for new, old in enumerate(pictures) if old in fixed.poses},
        focals={new: fixed.focals[old] for new, old in enumerate(pictures) if old in fixed.focals},
        focal_groups=None if fixed.focal_groups is None else [fixed.focal_groups[old] for old in pictures],
    )


def _thinned(maps: PairMaps, most: int) -> PairMaps:
    """As many pixels of each picture, evenly, as make `most` in all maps; the maps themselves where that is all."""
    values = sum(confidence.numel() for confidence in maps.confidence)
    if not most or values <= most:
        return maps
    # Steps of the golden ratio along the flat index fill the picture evenly, whatever its width.
    share = most / values
    keep = []
    for pixels in maps.pixels:
        count = pixels.shape[1]
        kept = max(64, math.ceil(count * share))
        steps = torch.arange(min(kept, count), device=pixels.device, dtype=torch.float64)
        keep.append(((steps * (math.sqrt(5) - 1) / 2).remainder(1.0) * count).long().unique())
    return maps.thinned(keep)


def unknowns_from(maps: PairMaps, start: Start, fixed: Fixed, *, published: bool = False) -> Unknowns:
    """The unknowns at a start."""
    unknowns = Unknowns(maps.pixels, len(maps.edges), fixed)
    pairs = start.pairs
    with torch.no_grad():
        for picture, (pose, focal) in enumerate(zip(start.poses, start.focals, strict=True)):
            if picture not in fixed.poses and pose is not None:
                unknowns.poses[picture] = stored_pose(pose)
            if picture not in fixed.focals:
                unknowns.set_focal(picture, focal or float(maps.long_sides[picture]))
        if fixed.focal_groups is not None:
            _share_focals(unknowns, start, fixed)
        for number in range(len(maps.edges)):
            moved = stored_translations(pairs.translation[number] / pairs.scale[number])
            stored = torch.cat([quaternion(pairs.rotation[number]), moved, pairs.scale[number].log().reshape(1)])
            unknowns.pair_poses[number] = stored.to(unknowns.pair_poses)
        unknowns.log_depth.copy_(torch.cat(first_depths(maps, start, published=published)))
    return unknowns


def _share_focals(unknowns: Unknowns, start: Start, fixed: Fixed) -> None:
    """Groups start from their known focal length, or from the median of their pictures'."""
    groups = fixed.focal_groups or ()
    for group in set(groups):
        members = [picture for picture, other in enumerate(groups) if other == group]
        known = [fixed.focals[picture] for picture in members if picture in fixed.focals]
        found = sorted(focal for picture in members if (focal := start.focals[picture]))
        if known or found:
            unknowns.set_focal(members[0], known[0] if known else found[len(found) // 2])


@torch.no_grad()
def _finished(maps: PairMaps, solved: _Solved, cancel: Cancel) -> Aligned:
    cameras = solved.unknowns.cameras()
    focals = tuple(solved.unknowns.focal_lengths().tolist())
    sure = [maps.best_confidence(picture).cpu() for picture in range(len(cameras))]
    depths = _depths(maps, solved.unknowns, cameras, focals, cancel)
    placed = solved.pictures
    return Aligned(
        tuple(placed),
        cameras,
        focals,
        tuple(torch.where(best > 1, depth, 0.0) for best, depth in zip(sure, depths, strict=True)),
        tuple(sure),
        tuple((placed[i], placed[j]) for i, j in solved.tree),
        solved.outcome,
    )


def _depths(
    maps: PairMaps, unknowns: Unknowns, cameras: Tensor, focals: Sequence[float], cancel: Cancel
) -> list[Tensor]:
    """Of every pixel: as optimised where all took part, else what minimises the same loss with these cameras."""
    found = unknowns.split(unknowns.depth().cpu())
    if [len(depth) for depth in found] == [pixels.shape[1] for pixels in maps.pixels]:
        return found
    matrices, scales = unknowns.similarities().double().cpu(), unknowns.scales().double().cpu()
    pairs = Similarity(scales, matrices[..., :3] / scales[:, None, None], matrices[..., 3])
    found = []
    for picture, camera in enumerate(cameras):
        check(cancel)
        here = maps.with_picture_on(picture, unknowns.poses.device)
        found.append(depth_along_rays(here, picture, pairs, focals[picture], camera).cpu())
    return found
