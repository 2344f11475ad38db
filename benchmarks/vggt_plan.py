"""What a plan of VGGT predicts, beside what a run takes: python benchmarks/vggt_plan.py [--photos 1 2 4 8]

The published network with camera and depth head and random weights, photos of 518 x 392, float32, on this machine's
cores, unless said otherwise. For each number of photos and each --pieces (0 the quickest that the engine would choose,
then smaller): memory above the weights and seconds, predicted by the speed that is measured just before, and measured.
--shallow has the published widths but few blocks of each kind: memory does not depend on depth, time does.
"""

import argparse
import json
import sys
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.machine import measure  # noqa: E402 - needs the path
from benchmarks.networks import random_weights  # noqa: E402
from vggt_addon.engines.layers.allocator import return_freed_memory  # noqa: E402
from vggt_addon.engines.layers.chunks import Chunks  # noqa: E402
from vggt_addon.engines.layers.devices import Device, find_device  # noqa: E402
from vggt_addon.engines.layers.work import Speed, measure_speed  # noqa: E402
from vggt_addon.engines.vggt.config import FULL, AlternatingConfig, EncoderConfig, VggtConfig  # noqa: E402
from vggt_addon.engines.vggt.network import VGGT, Head  # noqa: E402
from vggt_addon.engines.vggt.plan import Plan, Request, plans  # noqa: E402


def shallow(heads: Collection[str]) -> VggtConfig:
    """One block of each kind, or, for the dense heads' four outputs, four."""
    pairs, outputs = (4, (0, 1, 2, 3)) if {"depth", "point"} & {*heads} else (1, (0, 0, 0, 0))
    return VggtConfig(encoder=EncoderConfig(blocks=1), alternating=AlternatingConfig(pairs=pairs), outputs=outputs)


def make_network(config: VggtConfig, heads: list[Head], dtype: torch.dtype, device: torch.device) -> VGGT:
    with torch.device("meta"):
        network = VGGT(config, heads)
    random_weights(network, device)
    return network if dtype == torch.float32 else network.halve_blocks(dtype)


def run(network: VGGT, count: int, size: tuple[int, int], chunks: Chunks, device: torch.device) -> None:
    network(torch.full((1, count, 3, *size), 99, dtype=torch.uint8, device=device), None, chunks)


def compared(
    options: argparse.Namespace, network: VGGT, device: Device, speed: Speed
) -> Iterator[tuple[int, Plan, float, float]]:
    """For each number of photos and pieces: which pieces, what is predicted, peak in bytes, seconds."""
    size = options.size
    run(network, 1, (28, 28), Chunks(), device.device)  # what libraries take once is no part of a run
    for count in options.photos:
        request = Request(network.config, options.heads, count, size, getattr(torch, options.precision), 0)
        every = list(plans(request, device, speed))
        for pieces in options.pieces:
            plan = every[pieces]
            cost = measure(partial(run, network, count, size, plan.chunks, device.device), device.device)
            yield pieces, plan, cost.peak * 2**20, cost.seconds


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--pieces", type=int, nargs="+", default=[0])
    parser.add_argument("--size", default="518x392", help="WxH in pixels, multiples of 14")
    parser.add_argument("--heads", nargs="*", default=["camera", "depth"], choices=["camera", "depth", "point"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--shallow", action="store_true")
    parser.add_argument("--json", action="store_true", help="one line for each, for scripts")
    options = parser.parse_args(arguments)
    width, height = (int(side) for side in options.size.split("x"))
    options.size = (height, width)
    return options


def main(arguments: list[str] | None = None) -> None:
    options = options_from(arguments)
    device = find_device(options.device)
    if device.is_cpu:
        return_freed_memory()
    torch.set_num_threads(options.threads)
    config, dtype = shallow(options.heads) if options.shallow else FULL, getattr(torch, options.precision)
    network = make_network(config, cast(list[Head], options.heads), dtype, device.device)
    tokens = config.special_tokens + options.size[0] * options.size[1] // config.patch**2
    speed = measure_speed(device.device, dtype, tokens, config.alternating.width, config.alternating.heads)
    if not options.json:
        title = f"{options.size[1]} x {options.size[0]}, {options.precision}, {device.title}, {options.threads} threads"
        print(f"{title}, torch {torch.__version__}: predicted, measured, ratio")
    for pieces, plan, peak, seconds in compared(options, network, device, speed):
        if options.json:
            figures = {"photos": plan.photos, "pieces": pieces, "memory": plan.memory, "peak": peak}
            print(json.dumps({**figures, "seconds_predicted": plan.seconds, "seconds": seconds}))
            continue
        memory = f"{plan.memory / 2**20:7.0f} MB {peak / 2**20:7.0f} MB {plan.memory / peak:5.2f}"
        time = f"{plan.seconds or 0:8.1f} s {seconds:8.1f} s {(plan.seconds or 0) / seconds:5.2f}"
        print(f"{plan.photos:4} photos, pieces {pieces}: {memory}   {time}", flush=True)


if __name__ == "__main__":
    main()
