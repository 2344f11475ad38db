"""How far a network is from the published one: python benchmarks/parity.py GOLDEN.npz [--dtype float64]

The golden file says all of it: which network, which configuration, the seed of the weights (tests/goldens/recipe.py
makes them anew), and how far each array may be off. One line an array; the exit status is 1 if any is beyond its
tolerance. --frames, --tokens, --rows and --tracks change the chunks of the forward pass, which must change nothing.
--weights takes the weights from a file, to see that what was stored is what the golden was made with.
Takes 2 GB more than the weights of the full network (4.7 GB in float32).
"""

import argparse
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.goldens.golden import Golden, errors, read, recipe_weights  # noqa: E402 - needs the path
from vggt_addon.engines.dust3r.checkpoint_rules import RULES as DUST3R_RULES  # noqa: E402
from vggt_addon.engines.dust3r.config import FULL as DUST3R  # noqa: E402
from vggt_addon.engines.dust3r.config import Dust3rConfig  # noqa: E402
from vggt_addon.engines.dust3r.network import DUSt3R  # noqa: E402
from vggt_addon.engines.layers.chunks import Chunks  # noqa: E402
from vggt_addon.engines.vggt.aggregator import Aggregator, BlockPairOutput  # noqa: E402
from vggt_addon.engines.vggt.cameras import decode_cameras, unproject  # noqa: E402
from vggt_addon.engines.vggt.checkpoint_rules import RULES as VGGT_RULES  # noqa: E402
from vggt_addon.engines.vggt.config import FULL as VGGT_1B  # noqa: E402
from vggt_addon.engines.vggt.config import VggtConfig  # noqa: E402
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT  # noqa: E402
from vggt_addon.weights.checkpoint import open_checkpoint  # noqa: E402
from vggt_addon.weights.loading import CheckpointRules, load_weights  # noqa: E402


def fill(network: nn.Module, seed: int, dtype: torch.dtype, device: torch.device) -> None:
    """Give a network on the meta device the recipe's weights, one tensor at a time."""
    for name, shape in {key: tuple(value.shape) for key, value in network.state_dict().items()}.items():
        weight = recipe_weights({name: shape}, seed, dtype)[name].to(device)
        owner, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(owner), leaf, nn.Parameter(weight, requires_grad=False))


def load(network: nn.Module, weights: Path, rules: CheckpointRules, dtype: torch.dtype, device: torch.device) -> None:
    """Give a network on the meta device the weights of a file, by the same way as an engine."""
    load_weights(network, open_checkpoint(weights), rules, dtype=dtype)
    network.to(device)


def vggt_outputs(
    golden: Golden, dtype: torch.dtype, device: torch.device, chunks: Chunks, weights: Path | None = None
) -> dict[str, Tensor]:
    """VGGT's answer to a golden's pictures, by the names of the golden's arrays."""
    meta = golden.meta
    points = golden.arrays.get("query_points")
    queries = None if points is None else torch.from_numpy(points).to(device, dtype)
    heads = ALL_HEADS if queries is not None else ALL_HEADS[:3]
    with torch.device("meta"):
        network = VGGT(VGGT_1B if meta["config"] == "full" else VggtConfig.reduced(meta["reduced"]), heads)
    if weights is None:
        fill(network, meta["seed"], dtype, device)
    else:
        load(network, weights, VGGT_RULES, dtype, device)
    images = golden.image("images_u8", dtype).to(device)
    kept: list[Tensor] = []

    def watch(_: nn.Module, __: object, outputs: Iterator[BlockPairOutput]) -> Iterator[BlockPairOutput]:
        for output in outputs:
            kept.append(output.tokens().unflatten(0, tuple(images.shape[:2])).cpu())
            yield output

    aggregator: Aggregator = network.aggregator
    aggregator.register_forward_hook(watch)
    output = network(images, queries, chunks)
    camera_from_world, intrinsics = decode_cameras(output.pose_encoding[-1], (images.shape[-2], images.shape[-1]))
    found = {
        "tokens": torch.stack(kept),
        "pose_enc_iters": output.pose_encoding,
        "depth": output.depth[..., None],
        "depth_conf": output.depth_confidence,
        "world_points": output.points,
        "world_points_conf": output.points_confidence,
        "extrinsic": camera_from_world,
        "intrinsic": intrinsics,
        "unprojected": unproject(output.depth, camera_from_world, intrinsics),
    }
    if output.tracks is not None:
        tracks = output.tracks
        found |= {"track_iters": tracks.positions, "vis": tracks.visibility, "conf": tracks.confidence}
    return found


def dust3r_outputs(
    golden: Golden, dtype: torch.dtype, device: torch.device, chunks: Chunks, weights: Path | None = None
) -> dict[str, Tensor]:
    """DUSt3R's answer to a golden's pair, by the names of the golden's arrays."""
    meta = golden.meta
    with torch.device("meta"):
        network = DUSt3R(DUST3R if meta["config"] == "full" else Dust3rConfig.reduced(meta["reduced"]))
    if weights is None:
        fill(network, meta["seed"], dtype, device)
    else:
        load(network, weights, DUST3R_RULES, dtype, device)
    first, second = (
        network.encode(golden.image(name, dtype).to(device), chunks) for name in ("image1_u8", "image2_u8")
    )
    output = network.decode(first, second, chunks)
    found = {
        "pts3d_1": output.first.points,
        "conf_1": output.first.confidence,
        "pts3d_2_in_1": output.second.points,
        "conf_2": output.second.confidence,
    }
    if first.grid == second.grid:
        found["encoder_tokens"] = torch.cat([first.tokens, second.tokens])
    return found


OUTPUTS = {"vggt": vggt_outputs, "dust3r": dust3r_outputs}


def compare(path: Path, dtype: torch.dtype, device: torch.device, chunks: Chunks, weights: Path | None = None) -> bool:
    """Print a line for each array of the golden; whether all are within their tolerance."""
    golden = read(path)
    network = golden.meta["network"]
    if network not in OUTPUTS:
        raise SystemExit(f"{path.name}: no network named {network!r} here, only {' and '.join(OUTPUTS)}.")
    if not golden.meta.get(f"tolerance_{str(dtype).removeprefix('torch.')}"):
        raise SystemExit(f"{path.name} states no tolerance for {dtype}: it was not made to be compared in it.")
    torch.backends.cudnn.allow_tf32 = False  # a convolution of float32 numbers, not of their first 10 bits
    found = OUTPUTS[network](golden, dtype, device, chunks, weights)
    passed = True
    print(f"{path.name}: {network}, {golden.meta['config']}, {dtype}, {device}")
    for name, (off, tolerance) in errors({key: value.cpu() for key, value in found.items()}, golden, dtype).items():
        passed &= off <= tolerance
        print(f"  {name:18} error {off:.2e}  tolerance {tolerance:.0e}  {'ok' if off <= tolerance else 'TOO FAR'}")
    return passed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("goldens", nargs="+", type=Path, metavar="GOLDEN.npz")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="take the weights from a file, not from the recipe"
    )
    for name in ("frames", "tokens", "rows", "tracks"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Chunks(), name), help="size of this chunk")
    options = parser.parse_args(arguments)
    chunks = Chunks(options.frames, options.tokens, options.rows, options.tracks)
    passed = True
    for path in options.goldens:
        try:
            passed &= compare(
                path, getattr(torch, options.dtype), torch.device(options.device), chunks, options.weights
            )
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as problem:
            raise SystemExit(f"{path} is not a golden file of these networks: {problem!r}") from problem
    return 0 if passed else 1


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    sys.exit(main())
