"""What a plan of DUSt3R predicts, beside what a run takes: python benchmarks/dust3r_plan.py [--photos 1 2 3 4]

The published network with random weights, photos of 512 x 384, float32, on this machine's cores, unless said otherwise.
For each number of photos, all compared with each other: memory above the weights and seconds, predicted by the speed
that is measured just before, and measured, in two parts: the network over all pairs, and the alignment of maps of the
same sizes, of a made-up scene, since what random weights say cannot be aligned. On a machine on which others are at
work the processor seconds are what to read. --shallow has the published widths but few blocks: memory does not depend
on depth, time does.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.machine import Cost, measure  # noqa: E402 - needs the path
from benchmarks.networks import random_weights  # noqa: E402
from tests.engines.dust3r.scenes import make_scene, pair_maps  # noqa: E402
from vggt_addon.engines.cost import pace  # noqa: E402
from vggt_addon.engines.dust3r.alignment import align  # noqa: E402
from vggt_addon.engines.dust3r.config import FULL, Dust3rConfig  # noqa: E402
from vggt_addon.engines.dust3r.network import DUSt3R  # noqa: E402
from vggt_addon.engines.dust3r.plan import Plan, Request, plans  # noqa: E402
from vggt_addon.engines.dust3r.run import Inputs, run  # noqa: E402
from vggt_addon.engines.layers.allocator import return_freed_memory  # noqa: E402
from vggt_addon.engines.layers.devices import Device, find_device  # noqa: E402
from vggt_addon.engines.layers.work import Speed, measure_speed  # noqa: E402
from vggt_addon.progress import never, no_progress  # noqa: E402

MEGABYTE = 2**20
NOTHING = Cost(0.0, 0.0, 0.0, 0.0)
Size = tuple[int, int]  # H, W


def make_network(config: Dust3rConfig, dtype: torch.dtype, device: torch.device) -> DUSt3R:
    with torch.device("meta"):
        network = DUSt3R(config)
    random_weights(network, device)
    return network if dtype == torch.float32 else network.halve_blocks(dtype)


def look(network: DUSt3R, plan: Plan, count: int, size: Size, device: Device) -> Cost:
    """The network over all pairs of so many photos, into their maps."""
    image = np.full((*size, 3), 99, np.uint8)
    inputs = Inputs((image,) * count, (np.ones(size, np.bool_),) * count, ((1.0, 1.0),) * count)

    def once() -> None:
        run(network, inputs, [plan], device, sequence=False, progress=no_progress, cancel=never)

    return measure(once, device.device)


def put_together(count: int, size: Size, device: Device) -> Cost:
    """The alignment of so many photos; on a processor the maps, which are there before it, are part of its peak."""
    if count < 3:
        return NOTHING
    maps = pair_maps(make_scene(count, size), outliers=0.05)
    held = sum(part.numel() * 4 for group in (maps.points, maps.confidence) for part in group) / MEGABYTE
    gpu = None if device.is_cpu else device.device
    cost = measure(lambda: align(maps, device=gpu), device.device)
    return replace(cost, peak=cost.peak + held) if device.is_cpu else cost


def compared(
    options: argparse.Namespace, network: DUSt3R, device: Device, speed: Speed
) -> Iterator[tuple[int, Plan, Cost, Cost]]:
    """For each number of photos: pairs, what is predicted, what network and alignment took."""
    dtype = getattr(torch, options.precision)
    small = Request(((128, 128),) * 2, False, dtype, 0, config=network.config)
    look(network, plans(small, device)[0], 2, (128, 128), device)  # what libraries take once is no part of a run
    put_together(3, (24, 32), device)
    for count in options.photos:
        request = Request((options.size,) * count, False, dtype, 0, config=network.config)
        plan = plans(request, device, speed)[options.pieces]
        yield (
            request.pairs,
            plan,
            look(network, plan, count, options.size, device),
            put_together(count, options.size, device),
        )


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--pieces", type=int, default=0, help="0 the quickest that the engine would choose, then less")
    parser.add_argument("--size", default="512x384", help="WxH in pixels, multiples of 16")
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
    # Four steps of the decoder: the heads read three of them.
    few = replace(FULL, encoder=replace(FULL.encoder, blocks=1), decoder=replace(FULL.decoder, blocks=4))
    config, dtype = few if options.shallow else FULL, getattr(torch, options.precision)
    network = make_network(config, dtype, device.device)
    tokens = options.size[0] * options.size[1] // config.patch**2
    speed = measure_speed(device.device, dtype, tokens, config.encoder.width, config.encoder.heads)
    if not options.json:
        title = f"{options.size[1]} x {options.size[0]}, {options.precision}, {device.title}, {options.threads} threads"
        print(f"{title}, pace {pace():.2f}, torch {torch.__version__}: predicted, measured, ratio")
    for pairs, plan, looking, aligning in compared(options, network, device, speed):
        peak = max(looking.peak, aligning.peak) * MEGABYTE
        seconds, foreseen = looking.seconds + aligning.seconds, plan.seconds or 0.0
        if options.json:
            figures = {"pairs": pairs, "memory": plan.memory, "peak": peak, "maps": plan.main_memory}
            print(json.dumps({**figures, "seconds_predicted": foreseen, "seconds": seconds}))
            continue
        memory = f"{plan.memory / MEGABYTE:7.0f} MB {peak / MEGABYTE:7.0f} MB {plan.memory / peak:5.2f}"
        parts = f"(network {looking.peak:.0f} MB {looking.processor_seconds:.1f} CPU s, "
        parts += f"alignment {aligning.peak:.0f} MB {aligning.processor_seconds:.1f} CPU s)"
        print(f"{pairs:4} pairs: {memory}   {foreseen:7.1f} s {seconds:7.1f} s {foreseen / seconds:5.2f}   {parts}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
