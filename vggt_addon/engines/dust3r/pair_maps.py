"""What the network said of all pairs, laid out by picture: every map of a picture side by side.

The alignment compares all maps of one picture with that picture's points at once, so they lie in one tensor; nothing
is gathered or padded, and pictures may differ in size.
This module imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .pairs import Edge

PUBLISHED_CENTRE = 0.0  # pixel indices against the picture's middle, as the published alignment has them
SQUARE = (1.0, 1.0)
OUR_CENTRE = 0.5  # pixel centres at +0.5, as everywhere here


@dataclass
class PairMaps:
    """All directed pairs of n pictures. Picture k has P pixels, row-major, and K maps, one for each pair it is in."""

    edges: tuple[Edge, ...]  # E directed pairs
    pixels: tuple[Tensor, ...]  # n times (2, P) float32: x, y of the pixels from the picture's middle
    long_sides: tuple[int, ...]  # n: pixels
    points: tuple[Tensor, ...]  # n times (K, 3, P) float32: in the frame of the pair's first camera, up to one scale
    confidence: tuple[Tensor, ...]  # n times (K, P) float32, from 1 up
    where: dict[tuple[int, int], tuple[int, int]] = field(repr=False)  # (edge, side 0 or 1) -> (picture, map)

    @classmethod
    def empty(
        cls,
        edges: Sequence[Edge],
        sizes: Sequence[tuple[int, int]],
        *,
        centre: float = OUR_CENTRE,
        shapes: Sequence[tuple[float, float]] | None = None,
        device: torch.device | None = None,
    ) -> "PairMaps":
        """Room for the maps of `edges` between pictures of `sizes` (H, W); fill it with `put`.

        `centre`: where a pixel's centre is within it; `shapes`: width and height of each picture's pixels, where these
        are not square. Raises ValueError where a pair names a picture that is not there,
        or one picture twice.
        """
        if any(i == j or not (0 <= i < len(sizes) and 0 <= j < len(sizes)) for i, j in edges):
            raise ValueError(f"pairs {edges} of {len(sizes)} pictures")
        counts = [0] * len(sizes)
        where = {}
        for number, edge in enumerate(edges):
            for side, picture in enumerate(edge):
                where[number, side] = (picture, counts[picture])
                counts[picture] += 1
        areas = [height * width for height, width in sizes]
        return cls(
            tuple(edges),
            tuple(
                centred_pixels(size, shape, centre, device)
                for size, shape in zip(sizes, shapes or [SQUARE] * len(sizes), strict=True)
            ),
            tuple(max(size) for size in sizes),
            tuple(torch.zeros(k, 3, p, device=device) for k, p in zip(counts, areas, strict=True)),
            tuple(torch.ones(k, p, device=device) for k, p in zip(counts, areas, strict=True)),
            where,
        )

    def put(self, edge: int, side: int, points: Tensor, confidence: Tensor) -> None:
        """One map of a pair: points (H, W, 3) and confidence (H, W). What is not finite is kept as known to nobody."""
        picture, row = self.where[edge, side]
        flat, sure = points.reshape(-1, 3).T, confidence.reshape(-1)
        known = flat.isfinite().all(dim=0) & sure.isfinite()
        self.points[picture][row] = torch.where(known, flat, 0.0)
        self.confidence[picture][row] = torch.where(known, sure, 1.0).clamp(min=1.0)

    def map(self, edge: int, side: int) -> tuple[Tensor, Tensor]:
        """Points (3, P) and confidence (P,) of the first (0) or second (1) picture of a pair; not copies."""
        picture, row = self.where[edge, side]
        return self.points[picture][row], self.confidence[picture][row]

    def rows(self, picture: int) -> list[tuple[int, int]]:
        """(edge, side) of each of the picture's maps, in their order."""
        found = [(row, key) for key, (owner, row) in self.where.items() if owner == picture]
        return [key for _, key in sorted(found)]

    def scores(self) -> list[float]:
        """Mean confidence of the first map times that of the second, for each directed pair."""
        means = [confidence.mean(dim=1).tolist() for confidence in self.confidence]
        values = []
        for number in range(len(self.edges)):
            (i, first), (j, second) = self.where[number, 0], self.where[number, 1]
            values.append(means[i][first] * means[j][second])
        return values

    def best_confidence(self, picture: int) -> Tensor:
        """(P,): the highest of its maps'."""
        return self.confidence[picture].amax(dim=0)

    def thinned(self, keep: Sequence[Tensor]) -> "PairMaps":
        """Some pixels of every picture only: `keep[k]` (p,) are indices into picture k's. Copies."""
        return PairMaps(
            self.edges,
            tuple(pixels[:, kept] for pixels, kept in zip(self.pixels, keep, strict=True)),
            self.long_sides,
            tuple(points[:, :, kept] for points, kept in zip(self.points, keep, strict=True)),
            tuple(confidence[:, kept] for confidence, kept in zip(self.confidence, keep, strict=True)),
            self.where,
        )

    def to(self, device: torch.device) -> "PairMaps":
        """The same there; what is there already is not copied."""
        return replace(
            self,
            pixels=tuple(part.to(device) for part in self.pixels),
            points=tuple(part.to(device) for part in self.points),
            confidence=tuple(part.to(device) for part in self.confidence),
        )

    def with_picture_on(self, picture: int, device: torch.device) -> "PairMaps":
        """The same with one picture's maps there, and the others where they are."""
        parts = [
            tuple(part.to(device) if number == picture else part for number, part in enumerate(group))
            for group in (self.pixels, self.points, self.confidence)
        ]
        return replace(self, pixels=parts[0], points=parts[1], confidence=parts[2])

    def restricted(self, pictures: Sequence[int]) -> "PairMaps":
        """Those pictures and the pairs among them, numbered anew in the given order."""
        new = {old: number for number, old in enumerate(pictures)}
        kept = [number for number, (i, j) in enumerate(self.edges) if i in new and j in new]
        rows = {
            picture: [self.where[e, s][1] for e in kept for s in (0, 1) if self.edges[e][s] == picture]
            for picture in new
        }
        where, counts = {}, dict.fromkeys(new, 0)
        for number, old in enumerate(kept):
            for side, picture in enumerate(self.edges[old]):
                where[number, side] = (new[picture], counts[picture])
                counts[picture] += 1
        return PairMaps(
            tuple((new[self.edges[e][0]], new[self.edges[e][1]]) for e in kept),
            tuple(self.pixels[picture] for picture in pictures),
            tuple(self.long_sides[picture] for picture in pictures),
            tuple(self.points[picture][rows[picture]] for picture in pictures),
            tuple(self.confidence[picture][rows[picture]] for picture in pictures),
            where,
        )


def centred_pixels(
    size: tuple[int, int],
    shape: tuple[float, float] = SQUARE,
    centre: float = OUR_CENTRE,
    device: torch.device | None = None,
) -> Tensor:
    """(2, H W): x and y from the middle (W/2, H/2), in units of a square pixel as large as one of this shape."""
    rows = (torch.arange(size[0], device=device) + (centre - size[0] / 2)) * shape[1]
    columns = (torch.arange(size[1], device=device) + (centre - size[1] / 2)) * shape[0]
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)]).float()
