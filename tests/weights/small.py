"""VGGT and DUSt3R so small that a test can write their weights; and `shrink`, which puts them in the place of the full
ones. Imported by tests and by the processes that tests start.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from vggt_addon.engines.dust3r import config as dust3r_config
from vggt_addon.engines.dust3r import network as dust3r_network
from vggt_addon.engines.vggt import config as vggt_config
from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.weights.saving import save_checkpoint

VGGT = vggt_network.VGGT
DUST3R = dust3r_network.DUSt3R
SMALL_VGGT = vggt_config.VggtConfig(
    encoder=vggt_config.EncoderConfig(width=32, blocks=1, heads=2, registers=1, position_table=3),
    alternating=vggt_config.AlternatingConfig(width=32, pairs=1, heads=2, registers=1),
    outputs=(0, 0, 0, 0),
    camera_head=vggt_config.CameraHeadConfig(blocks=1, heads=2, hidden=16),
    dense_head=vggt_config.DenseHeadConfig(projections=(8, 8, 8, 8), features=8),
    tracker=vggt_config.TrackerConfig(features=8, pyramid_levels=2, width=16, heads=2, time_blocks=1, space_blocks=1),
)
MEDIUM_VGGT = replace(SMALL_VGGT, encoder=replace(SMALL_VGGT.encoder, width=192, blocks=6))  # 11 MB
SMALL_DUST3R = dust3r_config.Dust3rConfig(
    encoder=dust3r_config.TransformerConfig(width=16, blocks=1, heads=2),
    decoder=dust3r_config.TransformerConfig(width=16, blocks=4, heads=2),
    dense_head=dust3r_config.DenseHeadConfig(projections=(8, 8, 8, 8), features=8),
)
ALL = vggt_network.ALL_HEADS


def make_vggt(heads: Collection[vggt_network.Head] = ALL) -> nn.Module:
    return VGGT(SMALL_VGGT, heads)


def make_medium_vggt(heads: Collection[vggt_network.Head] = ALL) -> nn.Module:
    return VGGT(MEDIUM_VGGT, heads)


def make_dust3r() -> nn.Module:
    return DUST3R(SMALL_DUST3R)


def shrink(vggt: Callable[..., nn.Module] = make_vggt) -> None:
    """From now on, in this process, the networks are the small ones."""
    vggt_network.VGGT = vggt  # type: ignore[assignment,misc]
    dust3r_network.DUSt3R = make_dust3r  # type: ignore[assignment,misc]


def weights(network: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Random numbers for every tensor of `network`; one for all names of one."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[int, Tensor] = {}
    for tensor in network.state_dict(keep_vars=True).values():
        made.setdefault(id(tensor), torch.randn(tensor.shape, generator=generator))
    return {name: made[id(tensor)] for name, tensor in network.state_dict(keep_vars=True).items()}


def write(path: Path, tensors: dict[str, Tensor]) -> Path:
    """As PyTorch or safetensors, by the name's ending."""
    if path.suffix == ".safetensors":
        return save_checkpoint(path, tensors, {})
    torch.save(tensors, path)
    return path
