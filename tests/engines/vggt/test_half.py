"""Half precision goes where the published network has it, and nowhere else."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vggt_addon.engines.layers.rotary import RotaryTable
from vggt_addon.engines.vggt.network import ALL_HEADS

SIZE = (42, 70)
# rms(half - float32) / rms(float32) with these weights, which say nothing of accuracy; some twice what was seen.
BOUNDS = {
    torch.bfloat16: {"pose_enc_iters": 1e-2, "depth": 4e-3, "world_points": 8e-3, "track_iters": 1e-4},
    torch.float16: {"pose_enc_iters": 1e-3, "depth": 4e-4, "world_points": 1e-3, "track_iters": 1e-5},
}
HALVES = list(BOUNDS)


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_exactly_the_matrices_of_the_aggregator_are_halved(networks: ModuleType, half: torch.dtype) -> None:
    network = networks.make_vggt()
    assert network.halve_blocks(half) is network
    layers = [
        name
        for name, module in network.aggregator.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert len(layers) == 1 + 4 * (3 + 8)  # the patches; qkv, proj, fc1 and fc2 of every block
    wanted = {f"aggregator.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert {name for name, value in network.named_parameters() if value.dtype == half} == wanted
    assert all(value.dtype in (half, torch.float32) for value in network.parameters())


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_outputs_are_float32_and_near(networks: ModuleType, half: torch.dtype) -> None:
    images, points = networks.pictures((1, 3, 3, *SIZE)), networks.queries(1, 4, SIZE)
    exact = networks.vggt_outputs(networks.make_vggt()(images, points))
    found = networks.vggt_outputs(networks.make_vggt().halve_blocks(half)(images, points))
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in found.values())
    off = {name: networks.typical(found[name], exact[name]) for name in BOUNDS[half]}
    assert {name: value for name, value in off.items() if not value < BOUNDS[half][name]} == {}
    assert off["depth"] > BOUNDS[half]["depth"] / 20  # it was rounded at all


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_the_stream_the_norms_and_the_angles_stay_float32(networks: ModuleType, half: torch.dtype) -> None:
    network = networks.make_vggt().halve_blocks(half)
    seen: dict[str, set[torch.dtype]] = {"stream": set(), "norm": set(), "matrix": set(), "head": set()}

    def stream(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen["stream"].add(given[0].dtype)
        if isinstance(given[1], RotaryTable):
            assert given[1].cosine.dtype == given[1].sine.dtype == torch.float32

    def result(kind: str) -> Any:
        return lambda _, __, found: seen[kind].add(found.dtype)

    aggregator = network.aggregator
    for block in (*aggregator.patch_embed.blocks, *aggregator.frame_blocks, *aggregator.global_blocks):
        block.register_forward_pre_hook(stream)
        for norm in (block.norm1, block.norm2):
            norm.register_forward_hook(result("norm"))
        block.mlp.fc1.register_forward_hook(result("matrix"))
    for head in (network.camera_head, network.depth_head, network.point_head, network.track_head):
        for layer in head.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.LayerNorm):
                layer.register_forward_hook(result("head"))
    network(networks.pictures((1, 2, 3, *SIZE)), networks.queries(1, 3, SIZE))
    assert seen == {
        "stream": {torch.float32},
        "norm": {torch.float32},
        "matrix": {half},
        "head": {torch.float32},
    }


def test_a_whole_network_in_half_precision_still_has_exact_angles(
    networks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = networks.make_vggt(heads=("camera",)).to(torch.bfloat16)
    tables: list[RotaryTable] = []
    right = RotaryTable.rotate

    def rotate(table: RotaryTable, vectors: Tensor) -> Tensor:
        tables.append(table)
        return right(table, vectors)

    monkeypatch.setattr(RotaryTable, "rotate", rotate)
    output = network(networks.pictures((1, 2, 3, *SIZE)))
    assert len(tables) == 4 * (2 + 1) * 2  # of queries and of keys: for each frame alone, then for both together
    assert all(table.cosine.dtype == table.sine.dtype == torch.float32 for table in tables)
    assert output.pose_encoding.isfinite().all()


def test_heads_by_themselves_do_not_differ(networks: ModuleType) -> None:
    """What is not built takes no part: the same numbers whichever heads are there."""
    images = networks.pictures((1, 2, 3, *SIZE))
    whole = networks.make_vggt(heads=ALL_HEADS).halve_blocks(torch.bfloat16)(images)
    alone = networks.make_vggt(heads=("depth",)).halve_blocks(torch.bfloat16)(images)
    assert torch.equal(whole.depth, alone.depth) and torch.equal(whole.depth_confidence, alone.depth_confidence)
