"""Which photos are shown to the network together: directed pairs (i, j), each one decoder pass.

Photos are numbered from 0. Every scheme gives each pair of photos once; `mirrored` adds the other direction of all.
This module imports nothing beyond the standard library and numpy.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Edge = tuple[int, int]  # (first, second): both photos' points are in the first one's camera frame

COMPLETE_UP_TO = 16  # photos: 240 directed pairs
WINDOW_OFFSETS = 5  # a walk's photos are compared 1, 2, 4, 8 and 16 places apart
NEIGHBOURS = 8  # most similar photos that each of many is compared with


def complete(count: int) -> list[Edge]:
    """Everyone with everyone: (i, j) for all i > j."""
    return [(i, j) for i in range(count) for j in range(i)]


def sliding_window(count: int, width: int, *, cyclic: bool = True) -> list[Edge]:
    """Each photo with the `width` next ones, the smaller number first; `cyclic`: the last ones with the first ones."""
    return _offset_pairs(count, range(1, width + 1), cyclic)


def logarithmic_window(count: int, offsets: int, *, cyclic: bool = True) -> list[Edge]:
    """Each photo with those 1, 2, 4, ... places away on both sides, so many distances in all."""
    return _offset_pairs(count, [sign * 2**power for power in range(offsets) for sign in (1, -1)], cyclic)


def one_against_all(count: int, reference: int = 0) -> list[Edge]:
    """One photo with each of the others. Raises ValueError where there is no such photo."""
    if not 0 <= reference < count:
        raise ValueError(f"photo {reference} of {count} as the reference")
    return [(reference, other) for other in range(count) if other != reference]


def by_similarity(similarity: NDArray[Any], neighbours: int = NEIGHBOURS) -> list[Edge]:
    """Each photo with its most similar ones, and a tree of the most similar pairs, so that all hang together.

    `similarity` (n, n), larger is more alike; its diagonal is not read.
    """
    count = len(similarity)
    alike = np.array(similarity, np.float64)
    np.fill_diagonal(alike, -np.inf)
    pairs = spanning_tree(count, {(i, j): float(alike[i, j]) for i, j in complete(count)})
    for i in range(count):
        best = np.argsort(-alike[i], kind="stable")[: min(neighbours, count - 1)]
        pairs += [(max(i, int(j)), min(i, int(j))) for j in best]
    return _once(pairs)


def mirrored(pairs: Sequence[Edge]) -> list[Edge]:
    """The pairs, then all of them the other way round."""
    return [*pairs, *((j, i) for i, j in pairs)]


def edge_scores(means: Iterable[tuple[float, float]]) -> list[float]:
    """How sure the network is of each directed pair: the product of its two maps' mean confidences."""
    return [first * second for first, second in means]


def spanning_tree(count: int, scores: dict[Edge, float]) -> list[Edge]:
    """The edges of the highest total score that join all photos without a circle, the best first (Kruskal 1956).

    Of the two directions of a pair the better is taken. Where the photos fall into separate groups, a tree for each.
    """
    join = _joiner(count)
    return [edge for edge in sorted(scores, key=lambda edge: -scores[edge]) if join(*edge)]


def components(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    """The groups of photos that edges join, the largest first; of equally large ones that with the smallest number."""
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for i, j in edges:
        neighbours[i].add(j)
        neighbours[j].add(i)
    groups, seen = [], set()
    for start in range(count):
        if start in seen:
            continue
        group, waiting = {start}, [start]
        while waiting:
            for other in neighbours[waiting.pop()] - group:
                group.add(other)
                waiting.append(other)
        seen |= group
        groups.append(sorted(group))
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def scheme_for(count: int, *, sequence: bool) -> tuple[str, int]:
    """How so many photos are paired, and how many directed pairs that gives at most: "complete", "window", "similar".

    `sequence`: they are frames of one walk.
    """
    if count <= COMPLETE_UP_TO:
        return "complete", count * (count - 1)
    if sequence:
        return "window", 2 * len(logarithmic_window(count, WINDOW_OFFSETS, cyclic=False))
    return "similar", 2 * min(count * (count - 1) // 2, count * NEIGHBOURS + count - 1)


def choose_pairs(count: int, *, sequence: bool, similarity: Callable[[], NDArray[Any]]) -> list[Edge]:
    """The directed pairs of `scheme_for`; `similarity` is asked only where it is needed."""
    scheme, _ = scheme_for(count, sequence=sequence)
    if scheme == "complete":
        return mirrored(complete(count))
    if scheme == "window":
        return mirrored(logarithmic_window(count, WINDOW_OFFSETS, cyclic=False))
    return mirrored(by_similarity(similarity()))


def _offset_pairs(count: int, offsets: Iterable[int], cyclic: bool) -> list[Edge]:
    pairs = []
    for i in range(count):
        for offset in offsets:
            j = (i + offset) % count if cyclic else i + offset
            if 0 <= j < count and j != i:
                pairs.append((min(i, j), max(i, j)))
    return _once(pairs)


def _once(pairs: Iterable[Edge]) -> list[Edge]:
    return list(dict.fromkeys(pairs))


def _joiner(count: int) -> Callable[[int, int], bool]:
    """Union-find: joins two photos' groups and says whether they were apart."""
    parent = list(range(count))

    def root(photo: int) -> int:
        while parent[photo] != photo:
            parent[photo] = parent[parent[photo]]
            photo = parent[photo]
        return photo

    def join(i: int, j: int) -> bool:
        apart = root(i) != root(j)
        parent[root(j)] = root(i)
        return apart

    return join
