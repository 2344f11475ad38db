"""The reduced networks with the recipe's weights, and what the plain ones say of the same pictures.

Imports torch, the package, and from the tests the goldens' helper and the plain networks.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from tests.engines.plain import dust3r as plain_dust3r
from tests.engines.plain import vggt as plain_vggt
from tests.goldens import golden as goldens
from vggt_addon.engines.dust3r.config import Dust3rConfig
from vggt_addon.engines.dust3r.network import DUSt3R
from vggt_addon.engines.dust3r.output import PairOutput
from vggt_addon.engines.vggt.config import VggtConfig
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT, Head
from vggt_addon.engines.vggt.output import VggtOutput

Outputs = dict[str, Tensor]
METAS: dict[str, dict[str, Any]] = {
    "vggt": goldens.read(goldens.FOLDER / "vggt_small_a.npz").meta,
    "dust3r": goldens.read(goldens.FOLDER / "dust3r_small_pair_a.npz").meta,
}
VGGT_SMALL = VggtConfig.reduced(METAS["vggt"]["reduced"])
DUST3R_SMALL = Dust3rConfig.reduced(METAS["dust3r"]["reduced"])


@cache
def weights(network: str, dtype: torch.dtype = torch.float32) -> Mapping[str, Tensor]:
    """The recipe's weights of the reduced "vggt" or "dust3r"; not to be changed."""
    return goldens.recipe_weights(goldens.keys(f"{network}_small"), 0, dtype)


def norm_names(network: str) -> list[str]:
    """Names of all norms of the reduced "vggt" or "dust3r": what has a scale of one axis."""
    shapes = goldens.keys(f"{network}_small").items()
    return [key.removesuffix(".weight") for key, shape in shapes if key.endswith(".weight") and len(shape) == 1]


def filled(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Assign what the network has of `values`; it must be all that it needs."""
    wanted = network.state_dict()
    network.load_state_dict({name: values[name] for name in wanted}, assign=True)


def make_vggt(dtype: torch.dtype = torch.float32, heads: Collection[Head] = ALL_HEADS) -> VGGT:
    with torch.device("meta"):
        network = VGGT(VGGT_SMALL, heads)
    filled(network, weights("vggt", dtype))
    return network


def make_dust3r(dtype: torch.dtype = torch.float32) -> DUSt3R:
    with torch.device("meta"):
        network = DUSt3R(DUST3R_SMALL)
    filled(network, weights("dust3r", dtype))
    return network


def pictures(shape: Sequence[int], seed: int = 0) -> Tensor:
    """Pictures of noise, uint8, `shape` ending in 3, H, W."""
    return torch.from_numpy(goldens.RECIPE.image("pictures", shape, seed))


def queries(scenes: int, tracks: int, size: tuple[int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Points anywhere in pictures of `size` (H, W), and a bit outside: (scenes, tracks, 2), x and y."""
    share = torch.from_numpy(goldens.RECIPE.unit("queries", (scenes, tracks, 2))) / 12**0.5 + 0.5
    return (share * torch.tensor([size[1] + 4.0, size[0] + 4.0]) - 2).to(dtype)


def judge_vggt(images: Tensor, points: Tensor | None, dtype: torch.dtype, heads: Collection[str]) -> Outputs:
    """What the plain network says of uint8 `images` (B, S, 3, H, W); keys as `vggt_outputs` has them."""
    said = plain_vggt.run(
        weights("vggt", dtype), images.to(dtype) / 255, plain_vggt.dimensions(METAS["vggt"]), points, heads
    )
    names = ("pose_enc_iters", "depth", "depth_conf", "world_points", "world_points_conf", "track_iters", "vis", "conf")
    return {name: said[name][..., 0] if name == "depth" else said[name] for name in names if name in said}


def vggt_outputs(output: VggtOutput) -> Outputs:
    """All tensors of an output, by the plain network's names."""
    found = {
        "pose_enc_iters": output.pose_encoding,
        "depth": output.depth,
        "depth_conf": output.depth_confidence,
        "world_points": output.points,
        "world_points_conf": output.points_confidence,
    }
    if tracks := output.tracks:
        found |= {"track_iters": tracks.positions, "vis": tracks.visibility, "conf": tracks.confidence}
    return {name: value for name, value in found.items() if value is not None}


def judge_dust3r(first: Tensor, second: Tensor, dtype: torch.dtype) -> Outputs:
    """What the plain network says of uint8 pairs; keys as `dust3r_outputs` has them."""
    said = plain_dust3r.run(
        weights("dust3r", dtype),
        first.to(dtype) / 255,
        second.to(dtype) / 255,
        plain_dust3r.dimensions(METAS["dust3r"]),
    )
    return {name: said[name] for name in ("pts3d_1", "conf_1", "pts3d_2_in_1", "conf_2")}


def dust3r_outputs(output: PairOutput) -> Outputs:
    """All tensors of an output, by the plain network's names."""
    first, second = output.first, output.second
    return {
        "pts3d_1": first.points,
        "conf_1": first.confidence,
        "pts3d_2_in_1": second.points,
        "conf_2": second.confidence,
    }


def largest(ours: Tensor, wanted: Tensor) -> float:
    """max |ours - wanted| / rms(wanted), the goldens' metric; infinite where ours is no number."""
    return float(goldens.error(ours, wanted.double().numpy()))


def typical(ours: Tensor, wanted: Tensor) -> float:
    """rms(ours - wanted) / rms(wanted); infinite where ours is no number."""
    assert ours.shape == wanted.shape
    off = (ours.double() - wanted.double()).square().mean().sqrt() / wanted.double().square().mean().sqrt()
    return float(off.nan_to_num(float("inf")))
