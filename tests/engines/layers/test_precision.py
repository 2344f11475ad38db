"""Layers compute in the dtype of their weights, and half precision goes where it should."""

import pytest
import torch
from torch import nn

from vggt_addon.engines.layers.blocks import Block
from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.layers.dpt import TokenProjection
from vggt_addon.engines.layers.patches import PatchEmbedding
from vggt_addon.engines.layers.precision import LayerNorm, Linear, halve_linear_weights

HALVES = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_linear_rounds_its_input_to_the_dtype_of_its_weights(half: torch.dtype) -> None:
    layer = Linear(8, 6).to(half)
    tokens = torch.rand(3, 8)
    found = layer(tokens)
    assert found.dtype == half
    assert torch.equal(found, nn.functional.linear(tokens.to(half), layer.weight, layer.bias))


def test_a_part_of_linear_is_that_part() -> None:
    layer = Linear(8, 6).double()
    tokens = torch.rand(3, 8, dtype=torch.float64)
    torch.testing.assert_close(layer.part(tokens, 2, 5), layer(tokens)[:, 2:5], rtol=0, atol=1e-14)


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_norm_widens_its_input(half: torch.dtype) -> None:
    norm = LayerNorm(64, eps=1e-5)
    tokens = (torch.rand(3, 64) * 4).to(half)
    found = norm(tokens)
    assert found.dtype == torch.float32
    assert torch.equal(found, nn.functional.layer_norm(tokens.float(), (64,), norm.weight, norm.bias, 1e-5))


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_linear_layers_and_convolutions_are_halved_and_nothing_else(half: torch.dtype) -> None:
    module = nn.ModuleDict(
        {
            "block": Block(8, 2, norm_eps=1e-5, layer_scale=True, query_key_norm=True),
            "patches": PatchEmbedding(4, 8),
            "project": TokenProjection(8, 4),
        }
    )
    module.register_parameter("token", nn.Parameter(torch.zeros(1, 8)))
    halve_linear_weights(module, half)
    halved = {name for name, value in module.named_parameters() if value.dtype == half}
    layers = ("block.attn.qkv", "block.attn.proj", "block.mlp.fc1", "block.mlp.fc2", "patches.proj", "project")
    assert halved == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert all(value.dtype in (half, torch.float32) for value in module.parameters())


@pytest.mark.parametrize("name", ["frames", "tokens", "rows", "tracks"])
@pytest.mark.parametrize("size", [0, -3])
def test_pieces_have_at_least_one_part(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"Chunks\.{name} must be at least 1"):
        Chunks(**{name: size})
    assert getattr(Chunks(**{name: 1}), name) == 1
