"""Where the alignment starts: the best pairs chained into one world (DUSt3R, section 3.4).

The start that is published is not robust, trusts every pair that is sure of itself, and has a slip: on the way along
the tree, the focal length of a pair's first picture is taken from the map of the pair before. `published` reproduces
all that for comparison. By default every fit is one of distances instead of squares, pairs whose two directions
disagree come last, focal lengths are of the picture's own map, a picture's pose is that of a pair in whose frame it is,
and a pixel's first depth is the weighted median of what all of its maps say.
This module imports torch; its neighbour imports OpenCV.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .agreement import agreements
from .depths import median_depth
from .focal import focal_length, robust_focal_length
from .pair_maps import PairMaps
from .pairs import Edge, spanning_tree
from .pnp import Located, locate
from .registration import Similarity, register, register_cameras, register_robustly
from .unknowns import MEAN_SCALE, Fixed

PNP_ROUNDS = 10
SURE = 3.0  # confidence above which a point is shown to PnP
_LEAST_SURE = 4  # points


@dataclass
class Start:
    """A world put together from pairs: what is known of each picture; its unit is the first pair's."""

    world: list[Tensor | None]  # n times (3, P)
    poses: list[Tensor | None]  # n times (4, 4) world from camera, float64, CPU
    focals: list[float | None]  # n, pixels
    tree: list[Edge]  # in the order in which they were laid down
    pairs: Similarity  # world from pair, (E)


def start_from_tree(maps: PairMaps, fixed: Fixed, *, published: bool = False) -> Start:
    """World points, poses and focal lengths of all pictures, and every pair's similarity.

    Raises ValueError where the pairs do not join all pictures.
    """
    count = len(maps.pixels)
    numbers = {edge: number for number, edge in enumerate(maps.edges)}
    scores = maps.scores()
    if not published:
        scores = [score * agreement for score, agreement in zip(scores, agreements(maps), strict=True)]
    tree = spanning_tree(count, dict(zip(maps.edges, scores, strict=True)))
    if len(tree) < count - 1:
        raise ValueError(f"pairs {maps.edges} do not join {count} pictures")
    start = Start([None] * count, [None] * count, [None] * count, [], _unplaced(len(maps.edges)))
    if not tree:
        raise ValueError("one picture has nothing to be aligned with")
    waiting = list(tree)
    before: int | None = None
    while waiting:
        at = next((k for k, edge in enumerate(waiting) if before is None or _placed(start, edge)), None)
        assert at is not None  # a tree always has an edge at its border
        edge = waiting.pop(at)
        number = numbers[edge]
        _lay_down(maps, start, number, published)
        shown = before if published and before is not None else number
        if start.focals[edge[0]] is None:
            start.focals[edge[0]] = _focal(maps, shown, published)
        start.tree.append(edge)
        before = number
    _fill_focals(maps, start, fixed, scores, published)
    start.pairs = _all_pairs(maps, start, published)
    _fill_poses(maps, start, scores, published)
    return start


def _unplaced(pairs: int) -> Similarity:
    return Similarity(
        torch.ones(pairs).double(), torch.eye(3).double().repeat(pairs, 1, 1), torch.zeros(pairs, 3).double()
    )


def _all_pairs(maps: PairMaps, start: Start, published: bool) -> Similarity:
    """World from pair of every pair, by its first map."""
    found = _unplaced(len(maps.edges))
    for picture, points in enumerate(maps.points):
        own = [(row, edge) for row, (edge, side) in enumerate(maps.rows(picture)) if side == 0]
        if not own:
            continue
        rows, edges = [row for row, _ in own], [edge for _, edge in own]
        fitted = _fit(points[rows], maps.confidence[picture][rows], _given(start.world[picture]), published)
        found.scale[edges], found.rotation[edges] = fitted.scale, fitted.rotation
        found.translation[edges] = fitted.translation
    return found


def _placed(start: Start, edge: Edge) -> bool:
    return start.world[edge[0]] is not None or start.world[edge[1]] is not None


def _lay_down(maps: PairMaps, start: Start, number: int, published: bool) -> None:
    """Both maps of a pair into the world; of which one lies there already, but for the first pair."""
    i, j = maps.edges[number]
    first, second = maps.map(number, 0)[0], maps.map(number, 1)[0]
    if not start.tree:
        start.world[i], start.world[j] = first.clone(), second.clone()
        start.poses[i] = torch.eye(4, dtype=torch.float64)
        return
    side = 0 if start.world[i] is not None else 1
    found = _fit(*maps.map(number, side), _given(start.world[(i, j)[side]]), published)
    start.world[(j, i)[side]] = found.apply((second, first)[side])
    if start.poses[i] is None and (side == 0 or not published):
        start.poses[i] = found.rigid()


def _fit(points: Tensor, confidence: Tensor, target: Tensor, published: bool) -> Similarity:
    """World from pair, by maps (..., 3, P) of a picture whose points (3, P) are placed."""
    target = target.expand_as(points)
    return register(points, target, confidence) if published else register_robustly(points, target, confidence.log())


def _focal(maps: PairMaps, number: int, published: bool) -> float | None:
    """Of a pair's first picture."""
    points, confidence = maps.map(number, 0)
    pixels = maps.pixels[maps.edges[number][0]]
    if published:
        return focal_length(points, pixels)
    return robust_focal_length(points, pixels, confidence.log())


def _fill_focals(maps: PairMaps, start: Start, fixed: Fixed, scores: Sequence[float], published: bool) -> None:
    """What is known, and for who has none the one of the best pair in which the picture is first."""
    for picture, known in fixed.focals.items():
        start.focals[picture] = known
    for picture in range(len(start.focals)):
        if start.focals[picture] is None:
            own = [number for number, edge in enumerate(maps.edges) if edge[0] == picture]
            for number in sorted(own, key=lambda number: -scores[number]):
                start.focals[picture] = _focal(maps, number, published)
                if start.focals[picture] is not None:
                    break


def _fill_poses(maps: PairMaps, start: Start, scores: Sequence[float], published: bool) -> None:
    """For pictures without a pose: that of the best pair in which it is first, whose frame is its own.

    Where there is none, and as published always: PnP of the placed points; the identity where that finds none.
    """
    for picture, pose in enumerate(start.poses):
        if pose is not None:
            continue
        own = [number for number, edge in enumerate(maps.edges) if edge[0] == picture]
        if own and not published:
            start.poses[picture] = start.pairs[max(own, key=lambda number: scores[number])].rigid()
            continue
        found = _by_pnp(maps, picture, start, published)
        start.poses[picture] = torch.eye(4, dtype=torch.float64) if found is None else found.world_from_camera
        if found is not None and start.focals[picture] is None:
            start.focals[picture] = found.focal


def _by_pnp(maps: PairMaps, picture: int, start: Start, published: bool) -> Located | None:
    sure = maps.best_confidence(picture)
    limit = SURE if published or int((sure > SURE).sum()) >= _LEAST_SURE else float(sure.median())
    return locate(
        _given(start.world[picture])[:, sure > limit],
        maps.pixels[picture][:, sure > limit],
        start.focals[picture],
        maps.long_sides[picture],
        PNP_ROUNDS if published else 10 * PNP_ROUNDS,
        refine=not published,
    )


def normalise(start: Start) -> None:
    """Give the world the scale in which the pairs' scales have the geometric mean MEAN_SCALE."""
    times = MEAN_SCALE / start.pairs.scale.log().mean().exp()
    move(start, Similarity(times, torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)))


def move_to_known(start: Start, known: Mapping[int, Tensor]) -> None:
    """Lay the world on the cameras that are known, (4, 4) each, which then are exactly where they are said to be."""
    if not known:
        return
    ours = torch.stack([_given(start.poses[picture]) for picture in known])
    move(start, register_cameras(ours, torch.stack([pose.double() for pose in known.values()])))
    for picture, pose in known.items():
        start.poses[picture] = pose.double()


def move(start: Start, by: Similarity) -> None:
    """Everything in the world, by a similarity."""
    start.world = [None if points is None else by.apply(points) for points in start.world]
    for picture, pose in enumerate(start.poses):
        as_pair = Similarity(torch.ones(()).double(), _given(pose)[:3, :3], _given(pose)[:3, 3])
        start.poses[picture] = by.after(as_pair).rigid()
    start.pairs = by.after(start.pairs)


def first_depths(maps: PairMaps, start: Start, *, published: bool = False) -> list[Tensor]:
    """(P,) of every picture, log depth along its axis.

    Published: of its placed points, 0 where that is undefined. Ours: the median of all of its maps; where none says
    anything, the median of the picture.
    """
    depths = []
    for picture, pose in enumerate(start.poses):
        if published:
            world = _given(start.world[picture])
            axis = _given(pose)[:3, 2].to(world)
            along = axis @ (world - _given(pose)[:3, 3:].to(world))
            depths.append(torch.nan_to_num(along.log(), nan=0.0, neginf=0.0, posinf=0.0))
            continue
        along = median_depth(maps, picture, start.pairs, _given(pose))
        known = along > 0
        middle = along[known].median() if bool(known.any()) else along.new_ones(())
        depths.append(torch.where(known, along, middle).log())
    return depths


def _given(tensor: Tensor | None) -> Tensor:
    """What the tree has laid down by then."""
    assert tensor is not None
    return tensor
