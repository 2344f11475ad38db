"""Half precision in encoder and decoder; stream, norms and heads stay float32."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

# rms(half - float32) / rms(float32) with these weights, which say nothing of accuracy; some twice what was seen.
BOUNDS = {torch.bfloat16: {"pts": 2.5e-2, "conf": 2.5e-3}, torch.float16: {"pts": 3e-3, "conf": 4e-4}}
HALVES = list(BOUNDS)
SIZES = (48, 32), (32, 64)


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_exactly_the_matrices_of_encoder_and_decoder_are_halved(networks: ModuleType, half: torch.dtype) -> None:
    network = networks.make_dust3r()
    assert network.halve_blocks(half) is network
    halved = {name for name, value in network.named_parameters() if value.dtype == half}
    wanted = {
        f"{name}.{kind}"
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and not name.startswith("downstream_head")
        for kind in ("weight", "bias")
    }
    assert halved == wanted
    # Patches; qkv, proj, fc1, fc2 of the encoder; the way into the decoder; its four more in either of 12 twins.
    assert len(wanted) == 2 * (1 + 3 * 4 + 1 + 24 * 8)
    assert all(value.dtype in (half, torch.float32) for value in network.parameters())


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_outputs_are_float32_and_near(networks: ModuleType, half: torch.dtype) -> None:
    pictures = [networks.pictures((1, 3, *size)) for size in SIZES]
    exact = networks.dust3r_outputs(networks.make_dust3r()(*pictures))
    found = networks.dust3r_outputs(networks.make_dust3r().halve_blocks(half)(*pictures))
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in found.values())
    for name in exact:
        bound = BOUNDS[half][name.split("_")[0].removesuffix("3d")]
        assert bound / 20 < networks.typical(found[name], exact[name]) < bound, name  # it was rounded, and no further


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_the_stream_the_norms_and_the_angles_stay_float32(networks: ModuleType, half: torch.dtype) -> None:
    network = networks.make_dust3r().halve_blocks(half)
    seen: dict[str, set[torch.dtype]] = {"stream": set(), "norm": set(), "matrix": set(), "head": set()}

    def stream(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen["stream"].add(given[0].dtype)
        assert given[1].cosine.dtype == given[1].sine.dtype == torch.float32

    def result(kind: str) -> Any:
        return lambda _, __, found: seen[kind].add(found.dtype)

    for block in (*network.enc_blocks, *network.dec_blocks, *network.dec_blocks2):
        block.register_forward_pre_hook(stream)
        for module in block.modules():
            if isinstance(module, nn.LayerNorm):
                module.register_forward_hook(result("norm"))
        block.mlp.fc1.register_forward_hook(result("matrix"))
    for head in (network.downstream_head1, network.downstream_head2):
        for layer in head.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.register_forward_hook(result("head"))
    encoded = [network.encode(networks.pictures((1, 3, *size))) for size in SIZES]
    assert {photos.tokens.dtype for photos in encoded} == {torch.float32}
    network.decode(*encoded)
    assert seen == {
        "stream": {torch.float32},
        "norm": {torch.float32},
        "matrix": {half},
        "head": {torch.float32},
    }
