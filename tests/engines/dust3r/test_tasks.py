"""Matches between two photos, and points that other views contradict."""

from dataclasses import replace

import torch

from tests.engines.dust3r.scenes import make_scene, pair_maps
from vggt_addon.engines.dust3r.alignment import Aligned
from vggt_addon.engines.dust3r.cleaning import Raster, cleaned
from vggt_addon.engines.dust3r.matching import matched_pixels, mutual_nearest
from vggt_addon.engines.dust3r.optimise import NOT_NEEDED


def test_mutual_nearest_neighbours() -> None:
    random = torch.Generator().manual_seed(0)
    first = torch.randn(3, 60, generator=random)
    order = torch.randperm(60, generator=random)
    second = torch.cat([first[:, order] + 1e-3, torch.full((3, 5), 50.0)], dim=1)
    pairs = mutual_nearest(first, second)
    assert len(pairs) == 60
    assert bool((order[pairs[:, 1]] == pairs[:, 0]).all())
    assert len(mutual_nearest(first[:, :0], second)) == len(mutual_nearest(first, second[:, :0])) == 0


def test_many_points_have_the_nearest_that_a_search_through_all_finds() -> None:
    random = torch.Generator().manual_seed(1)
    first, second = (torch.randn(3, count, generator=random) for count in (3000, 2000))
    first[:, 10] = second[:, 0]
    apart = torch.cdist(first.T.double(), second.T.double())
    nearest, back = apart.argmin(dim=1), apart.argmin(dim=0)
    expected = [[at, int(to)] for at, to in enumerate(nearest) if int(back[to]) == at]
    assert mutual_nearest(first, second).tolist() == expected and [10, 0] in expected


def test_pixels_that_match_show_the_same_point() -> None:
    scene = make_scene(5, (48, 64), seed=2)
    maps = pair_maps(scene, [(1, 2)], outliers=0.1)
    pairs = matched_pixels(maps.map(0, 0), maps.map(0, 1))
    assert len(pairs) > 500
    world = [torch.from_numpy(scene.world(picture).reshape(-1, 3)) for picture in (1, 2)]
    apart = (world[0][pairs[:, 0]] - world[1][pairs[:, 1]]).norm(dim=1)
    assert float(apart.median()) < 0.08 and float((apart < 0.2).double().mean()) > 0.9
    surest = matched_pixels(maps.map(0, 0), maps.map(0, 1), least_confidence=6.0)
    assert 0 < len(surest) < len(pairs) / 2


def aligned_truth() -> tuple[Aligned, list[Raster]]:
    scene = make_scene(3, (48, 64), seed=2)
    rasters = [Raster(size) for size in scene.sizes]
    depth = tuple(torch.from_numpy(part.reshape(-1)).float() for part in scene.depth)
    sure = tuple(torch.full_like(part, 5.0) for part in depth)
    cameras = torch.from_numpy(scene.world_from_camera)
    return Aligned((0, 1, 2), cameras, scene.focals, depth, sure, (), NOT_NEEDED), rasters


def test_what_floats_before_a_surer_surface_is_cleaned_away_and_nothing_else() -> None:
    truth, rasters = aligned_truth()
    floating = truth.depth[1].reshape(48, 64).clone()
    floating[20:28, 28:36] *= 0.85
    unsure = truth.confidence[1].reshape(48, 64).clone()
    unsure[20:28, 28:36] = 2.0
    spoilt = replace(
        truth,
        depth=(truth.depth[0], floating.reshape(-1), truth.depth[2]),
        confidence=(truth.confidence[0], unsure.reshape(-1), truth.confidence[2]),
    )
    after = cleaned(spoilt, rasters)
    patch = after.confidence[1].reshape(48, 64)[20:28, 28:36]
    assert float((patch == 1).double().mean()) > 0.9
    kept = after.confidence[1].reshape(48, 64).clone()
    kept[20:28, 28:36] = 5
    assert bool((kept == 5).all()), "what is as sure as the others stays"
    assert all(bool((after.confidence[picture] == 5).all()) for picture in (0, 2))


def doubted(truth: Aligned, depth: float, confidence: float) -> Aligned:
    """The first picture's depth and confidence, so many times as large."""
    return replace(
        truth,
        depth=(truth.depth[0] * depth, *truth.depth[1:]),
        confidence=(truth.confidence[0] * confidence, *truth.confidence[1:]),
    )


def test_a_floating_point_that_is_the_surest_stays() -> None:
    truth, rasters = aligned_truth()
    assert bool((cleaned(doubted(truth, 0.8, 1.2), rasters).confidence[0] == 6).all())
    assert not bool((cleaned(doubted(truth, 0.8, 0.8), rasters).confidence[0] == 4).all())


def test_pixels_that_are_not_square_fall_where_they_belong() -> None:
    """Depth of pixels that are wide and low, taken for square ones, contradicts itself."""
    scene = make_scene(3, (48, 64), seed=2)
    truth, square = aligned_truth()
    assert scene.sizes == tuple(raster.size for raster in square)
    squeezed = [Raster((48, 64), (1.25, 0.8))] * 3
    right, wrong = (cleaned(doubted(truth, 1, 0.8), rasters).confidence[0] for rasters in (square, squeezed))
    assert int((right == 1).sum()) <= 3 and int((wrong == 1).sum()) > 50
