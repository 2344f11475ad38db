"""The tracker's lookups against torch's own interpolation and against the maps that are never made."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from vggt_addon.engines.vggt.sampling import correlations, pyramid, sample
from vggt_addon.engines.vggt.track_embedding import displacement_embedding, position_embedding


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def value(maps: Tensor, x: float, y: float, outside: str) -> Tensor:
    """(C,) at x, y of maps (C, H, W), by the four neighbours."""
    height, width = maps.shape[1:]
    if outside == "border":
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    total = torch.zeros(maps.shape[0], dtype=maps.dtype)
    for column in (math.floor(x), math.floor(x) + 1):
        for row in (math.floor(y), math.floor(y) + 1):
            if 0 <= column < width and 0 <= row < height:
                total += (1 - abs(x - column)) * (1 - abs(y - row)) * maps[:, row, column]
    return total


PLACES = [[0.0, 0.0], [6.0, 4.0], [2.5, 1.25], [-0.5, 2.0], [6.75, -0.25], [-3.0, 9.0], [3.0, 4.999], [-1.0, -1.0]]


@pytest.mark.parametrize("outside", ["border", "zeros"])
def test_sample_is_bilinear_with_centres_at_integers(outside: str) -> None:
    maps = noise(2, 3, 5, 7)
    points = torch.tensor([PLACES, PLACES[::-1]], dtype=torch.float64)
    found = sample(maps, points, outside=outside)
    assert found.shape == (2, 3, len(PLACES))
    for picture in range(2):
        for number, (x, y) in enumerate(points[picture].tolist()):
            torch.testing.assert_close(
                found[picture, :, number], value(maps[picture], x, y, outside), rtol=0, atol=1e-12
            )


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1)])
def test_sample_of_maps_of_one_pixel_in_a_row(size: tuple[int, int]) -> None:
    maps = noise(1, 2, *size)
    found = sample(maps, torch.zeros(1, 1, 2, dtype=torch.float64), outside="zeros")
    torch.testing.assert_close(found[0, :, 0], maps[0, :, 0, 0], rtol=0, atol=1e-14)


def test_pyramid_halves_and_drops_the_odd_rest() -> None:
    maps = noise(2, 3, 11, 14)
    levels = pyramid(maps, 4)
    assert [tuple(level.shape[2:]) for level in levels] == [(11, 14), (5, 7), (2, 3), (1, 1)]
    assert torch.equal(levels[0], maps)
    for finer, coarser in pairwise(levels):
        height, width = coarser.shape[2:]
        means = finer[:, :, : 2 * height, : 2 * width].unflatten(2, (height, 2)).unflatten(4, (width, 2)).mean((3, 5))
        torch.testing.assert_close(coarser, means, rtol=0, atol=1e-14)


@pytest.mark.parametrize("radius", [1, 4])
def test_correlations_are_those_of_the_maps_of_products(radius: int) -> None:
    """Products formed on every level's grid, then sampled; x slow, y fast; also far outside the map."""
    levels = pyramid(noise(2, 8, 17, 22), 4)
    features = noise(2, 7, 8, seed=1)
    places = [[3.3, 4.7], [0.0, 0.0], [21.0, 16.0], [-2.5, 8.1], [24.9, -3.2], [500.0, 500.0], [10.5, 15.99]]
    positions = torch.tensor([places, places[::-1]], dtype=torch.float64)
    side = 2 * radius + 1
    found = correlations(levels, features, positions, radius)
    assert found.shape == (2, 7, 4 * side**2)
    for picture in range(2):
        for track in range(7):
            x, y = positions[picture, track].tolist()
            wanted = []
            for level, maps in enumerate(levels):
                products = torch.einsum("c,chw->hw", features[picture, track], maps[picture])[None] / math.sqrt(8)
                for along_x in range(-radius, radius + 1):
                    for along_y in range(-radius, radius + 1):
                        wanted.append(value(products, x / 2**level + along_x, y / 2**level + along_y, "zeros"))
            torch.testing.assert_close(found[picture, track], torch.cat(wanted), rtol=0, atol=1e-12)
    assert not found[0, 5].any()


def test_displacement_embedding_by_hand() -> None:
    displacement = torch.tensor([[2.0, -3.0]], dtype=torch.float64)
    found = displacement_embedding(displacement, 64)[0]
    assert found.shape == (132,)
    for axis, length in enumerate((2.0, -3.0)):
        for k in range(32):
            angle = length * 2 * k * (1000 / 64)
            assert float(found[64 * axis + 2 * k]) == pytest.approx(math.sin(angle), abs=1e-12)
            assert float(found[64 * axis + 2 * k + 1]) == pytest.approx(math.cos(angle), abs=1e-12)
    assert found[128:].tolist() == [2 / 518, -3 / 518, 2 / 518, -3 / 518]


def test_position_embedding_is_the_full_map_sampled() -> None:
    height, width, channels = 6, 9, 20
    frequencies = 10000.0 ** (-torch.arange(5, dtype=torch.float64) / 5)
    v, u = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    by_column, by_row = (grid * frequencies[:, None, None] for grid in (u, v))
    full = torch.cat([by_column.sin(), by_column.cos(), by_row.sin(), by_row.cos()])
    places = torch.tensor([[0.0, 0], [8, 5], [3.25, 4.5], [-2, 2], [9.5, 7], [7.999, 0.001]], dtype=torch.float64)
    found = position_embedding(places, (height, width), channels)
    for place, embedding in zip(places.tolist(), found, strict=True):
        torch.testing.assert_close(embedding, value(full, place[0], place[1], "border"), rtol=0, atol=1e-12)
