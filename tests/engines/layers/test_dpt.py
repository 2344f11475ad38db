"""The DPT read-out's parts by their formulas: what differs between VGGT and DUSt3R is seen here by itself."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vggt_addon.engines.layers.dpt import FusionStage, ResidualUnit, Scratch, TokenProjection, as_maps
from vggt_addon.engines.layers.patches import PatchEmbedding
from vggt_addon.engines.layers.resize import resize


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def filled(module: Any) -> Any:
    module.double()
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64, generator=generator) / 5
    return module.requires_grad_(False)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_patches_are_row_major() -> None:
    embedding = filled(PatchEmbedding(4, 5))
    picture = noise(2, 3, 8, 12)
    tokens = embedding(picture)
    assert tokens.shape == (2, 6, 5)
    for row, column in ((0, 0), (0, 2), (1, 0), (1, 1)):
        patch = picture[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)
        close(tokens[:, 3 * row + column], patch @ embedding.proj.weight.flatten(1).T + embedding.proj.bias)


def test_projecting_tokens_is_the_convolution_of_their_map() -> None:
    projection = filled(TokenProjection(6, 4))
    tokens = noise(2, 12, 6)
    maps = as_maps(projection(tokens), (3, 4))
    convolved = nn.functional.conv2d(as_maps(tokens, (3, 4)), projection.weight, projection.bias)
    assert maps.shape == (2, 4, 3, 4) and projection.weight.shape == (4, 6, 1, 1)
    close(maps, convolved)


def test_maps_are_views_of_their_tokens() -> None:
    tokens = noise(1, 6, 2)
    as_maps(tokens, (2, 3))[0, 1, 1, 2] = 7.0
    assert tokens[0, 5, 1] == 7.0


@pytest.mark.parametrize("rectified", [True, False])
def test_residual_unit_carries_what_it_says(rectified: bool) -> None:
    unit = filled(ResidualUnit(4, rectified))
    maps = noise(1, 4, 5, 6)
    wanted = unit.conv2(unit.conv1(maps.relu()).relu()) + (maps.relu() if rectified else maps)
    close(unit(maps.clone()), wanted)


@pytest.mark.parametrize("rectified", [True, False])
def test_fusion_stage(rectified: bool) -> None:
    stage = filled(FusionStage(4, rectified_skip=rectified, skip_unit=True))
    coarse, fine = noise(1, 4, 3, 4), noise(1, 4, 3, 4, seed=1)
    joined = coarse + stage.resConfUnit1(fine.clone())
    wanted = stage.out_conv(resize(stage.resConfUnit2(joined.clone()), (5, 7)))
    close(stage(coarse.clone(), fine.clone(), (5, 7)), wanted)
    close(stage(None, fine.clone(), (5, 7)), stage.out_conv(resize(stage.resConfUnit2(fine.clone()), (5, 7))))


def test_the_coarsest_stage_has_a_skip_unit_only_where_checkpoints_hold_one() -> None:
    for held in (True, False):
        scratch = Scratch((2, 3, 4, 5), 4, rectified_skip=True, coarsest_skip_unit=held)
        assert hasattr(scratch.refinenet4, "resConfUnit1") == held
        assert all(hasattr(getattr(scratch, f"refinenet{stage}"), "resConfUnit1") for stage in (1, 2, 3))


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("grid", [(4, 6), (3, 5), (1, 1), (1, 4), (5, 2)])
def test_fusion_from_coarse_to_fine(grid: tuple[int, int], double: bool) -> None:
    """All four stages, and the odd grids that doubling overshoots."""
    channels = (2, 3, 4, 5)
    scratch = filled(Scratch(channels, 4, rectified_skip=not double, coarsest_skip_unit=double))
    reassemble: list[Any] = [
        filled(nn.ConvTranspose2d(2, 2, 4, stride=4)),
        filled(nn.ConvTranspose2d(3, 3, 2, stride=2)),
        nn.Identity(),
        filled(nn.Conv2d(5, 5, 3, stride=2, padding=1)),
    ]
    tokens = [noise(2, grid[0] * grid[1], count, seed=count) for count in channels]
    layers = (scratch.layer1_rn, scratch.layer2_rn, scratch.layer3_rn, scratch.layer4_rn)
    maps = [layer(make(as_maps(part, grid))) for layer, make, part in zip(layers, reassemble, tokens, strict=True)]
    fused = scratch.refinenet4.resConfUnit2(maps[3].clone())
    for number, finer in ((4, maps[2]), (3, maps[1]), (2, maps[0])):
        size = finer.shape[2:]
        doubled = (2 * fused.shape[2], 2 * fused.shape[3])
        stage, following = getattr(scratch, f"refinenet{number}"), getattr(scratch, f"refinenet{number - 1}")
        fused = stage.out_conv(resize(fused, doubled if double else tuple(size)))[:, :, : size[0], : size[1]]
        fused = following.resConfUnit2(fused + following.resConfUnit1(finer.clone()))
    given = [part.clone() for part in tokens]
    found = scratch.fuse(given, reassemble, grid, double)
    assert found.shape == (2, 4, 4 * grid[0], 4 * grid[1])
    assert given == []  # handed over, and free as soon as used
    close(found, fused)
