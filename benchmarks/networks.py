"""What the networks cost: python benchmarks/networks.py [--network dust3r] [--photos 1 2 4] [--precision bfloat16]

VGGT with camera and depth head, 2 photos of 518 x 392, float32, on this machine's cores, unless said otherwise; random
weights, on which cost does not depend. In one process, in turns:

- the forward pass, and its peak of memory above the weights;
- its own linear layers, attentions and convolutions alone, on inputs of the same shapes: their time over the forward
  pass's is the share of the possible speed that is reached;
- one large matrix product, as a measure of the machine;
- with --plain, the plain network of the tests, on the same weights.

With several numbers of photos it states the memory of each further photo. --device cuda measures allocated memory.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.machine import Cost, alternate  # noqa: E402 - needs the path
from benchmarks.own_layers import Recorder, large_product, replay  # noqa: E402
from vggt_addon.engines.dust3r.network import DUSt3R  # noqa: E402
from vggt_addon.engines.layers.allocator import return_freed_memory  # noqa: E402
from vggt_addon.engines.layers.chunks import Chunks  # noqa: E402
from vggt_addon.engines.vggt.network import VGGT  # noqa: E402

SIZES = {"vggt": "518x392", "dust3r": "512x384"}


def random_weights(network: nn.Module, device: torch.device) -> None:
    """Weights of a size at which nothing overflows; scales are one."""
    generator = torch.Generator().manual_seed(0)
    for name, blank in network.state_dict().items():
        is_scale = name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "norm3.weight", "norm_y.weight"))
        weight = torch.ones(blank.shape) if is_scale else torch.randn(blank.shape, generator=generator) * 0.02
        network.load_state_dict({name: weight.to(device)}, strict=False, assign=True)


def same_weights(make: Callable[[], Any], precision: str, full: nn.Module | None, device: torch.device) -> Any:
    """A network of this precision; what it can share with the float32 one, it shares."""
    with torch.device("meta"):
        network = make()
    if full is None:
        random_weights(network, device)
    else:
        network.load_state_dict(full.state_dict(), assign=True)
    return network if precision == "float32" else network.halve_blocks(getattr(torch, precision))


def plain_network(name: str) -> ModuleType:
    path = REPOSITORY / "tests" / "engines" / "plain" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"plain_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pictures(count: int, size: str, device: torch.device) -> Tensor:
    width, height = (int(side) for side in size.split("x"))
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)).to(device)


def calls_of(
    options: argparse.Namespace, networks: dict[str, Any], count: int, device: torch.device
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """What to measure at this number of photos, by name, and the operations of each where they are known."""
    photos = pictures(count, options.size, device)
    chunks = Chunks(options.frames, options.tokens, options.rows)
    calls: dict[str, Callable[[], object]] = {}
    operations: dict[str, int] = {}
    for precision, network in networks.items():
        steps: dict[str, Callable[[], object]] = {}
        if options.network == "vggt":
            steps["forward"] = partial(network, photos[None], chunks=chunks)
        else:
            encoded = network.encode(photos[:2], chunks)
            steps["encode a photo"] = partial(network.encode, photos[:1], chunks)
            steps["decode a pair"] = partial(network.decode, encoded[:1], encoded[1:], chunks)
        for step, call in steps.items():
            with Recorder() as recorder:
                call()
            name = f"{step}, {precision}"
            calls[name] = call
            calls[f"own layers of {name}"] = replay(recorder.calls, device)
            operations[name] = operations[f"own layers of {name}"] = sum(made.operations for made in recorder.calls)
        product, work = large_product(getattr(torch, precision), device)
        calls[f"large product, {precision}"], operations[f"large product, {precision}"] = product, work
    if options.plain:
        calls["plain, float32"] = plain_call(options.network, networks["float32"], photos)
    return calls, operations


def plain_call(name: str, network: nn.Module, photos: Tensor) -> Callable[[], object]:
    plain, weights = plain_network(name), dict(network.state_dict())
    sizes = plain.dimensions({"config": "full"})
    if name == "vggt":
        return torch.inference_mode()(lambda: plain.run(weights, photos[None], sizes, None, ("camera", "depth")))
    return torch.inference_mode()(lambda: plain.run(weights, photos[:1], photos[1:2], sizes))


def report(count: int, costs: dict[str, Cost], operations: dict[str, int]) -> None:
    print(f"{count} photo{'s' * (count > 1)}:")
    for name, cost in costs.items():
        work = operations.get(name, 0)
        speed = f"{work / cost.seconds / 1e9:8.0f} GFLOP/s" if work else " " * 16
        reserved = f", {cost.reserved:.0f} MB reserved in all" if cost.reserved else ""
        memory = "" if name.startswith(("large", "own")) else f"  {cost.peak:6.0f} MB above the weights{reserved}"
        print(f"  {name:42} {cost.seconds:8.2f} s {cost.processor_seconds:8.2f} CPU s {speed}{memory}")
    for name, cost in costs.items():
        if f"own layers of {name}" in costs:
            share = costs[f"own layers of {name}"].seconds / cost.seconds
            print(f"  {name}: {share:.0%} of the speed of its own layers alone")
    for name, forward in (
        ("forward, bfloat16", "forward, float32"),
        ("forward, float16", "forward, float32"),
        ("encode a photo, bfloat16", "encode a photo, float32"),
        ("decode a pair, bfloat16", "decode a pair, float32"),
        ("plain, float32", "forward, float32"),
    ):
        if name in costs and forward in costs:
            slower, larger = costs[name].seconds / costs[forward].seconds, costs[name].peak / costs[forward].peak
            print(f"  {name} over {forward}: time {slower:.2f}, peak {larger:.2f}")


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", choices=sorted(SIZES), default="vggt")
    parser.add_argument("--photos", type=int, nargs="+", default=[2])
    parser.add_argument("--size", help="WxH in pixels; default 518x392 (vggt), 512x384 (dust3r)")
    parser.add_argument("--precision", nargs="+", choices=["float32", "bfloat16", "float16"], default=["float32"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="the plain network too (needs float32)")
    for name in ("frames", "tokens", "rows"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Chunks(), name), help="size of this chunk")
    options = parser.parse_args(arguments)
    options.size = options.size or SIZES[options.network]
    if options.plain and "float32" not in options.precision:
        parser.error("--plain is compared with float32")
    if options.network == "dust3r":
        options.photos = [2]
    return options


def main(arguments: list[str] | None = None) -> None:
    options = options_from(arguments)
    if options.device == "cpu":
        return_freed_memory()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    networks: dict[str, Any] = {}
    full: nn.Module | None = None
    for precision in sorted(options.precision, key=lambda name: name != "float32"):
        networks[precision] = same_weights({"vggt": VGGT, "dust3r": DUSt3R}[options.network], precision, full, device)
        full = full or (networks[precision] if precision == "float32" else None)
    print(f"{options.network}, {options.size}, {device}, {options.threads} threads, torch {torch.__version__}")
    peaks: dict[str, list[tuple[int, float]]] = {}
    for count in options.photos:
        calls, operations = calls_of(options, networks, count, device)
        costs = alternate(calls, device, options.repeat)
        report(count, costs, operations)
        for name in costs:
            if name.startswith("forward"):
                peaks.setdefault(name, []).append((count, costs[name].peak))
    for name, found in peaks.items():
        (fewest, low), (most, high) = found[0], found[-1]
        if most > fewest:
            print(f"{name}: {(high - low) / (most - fewest):.1f} MB for each photo from {fewest} to {most}")


if __name__ == "__main__":
    main()
