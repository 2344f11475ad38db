"""What DUSt3R's alignment costs: python benchmarks/dust3r_alignment.py [--photos 20] [--size 24x32 48x64 ...]

In one process, in turns, on random maps, on which cost does not depend:

- a step (world points, loss, gradient, Adam) as it is shipped, and with the loss of a plain loop over pairs, which
  autograd differentiates (tests/engines/plain/dust3r_alignment.py): the same unknowns, the same answer;
- the shipped step's time and peak of memory against the number of pairs;
- with --whole, an alignment from maps of a made-up scene to every pixel's depth, part by part.

The ratio of processor seconds is what to read on a machine on which others are at work.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.machine import alternate  # noqa: E402 - needs the path
from tests.engines.dust3r.scenes import make_scene, pair_maps  # noqa: E402
from tests.engines.plain import dust3r_alignment as plain  # noqa: E402
from vggt_addon.engines.dust3r.alignment import AlignmentSettings, align  # noqa: E402
from vggt_addon.engines.dust3r.loss import AlignmentLoss  # noqa: E402
from vggt_addon.engines.dust3r.optimise import BETAS, RATE  # noqa: E402
from vggt_addon.engines.dust3r.pair_maps import PairMaps  # noqa: E402
from vggt_addon.engines.dust3r.pairs import complete, mirrored  # noqa: E402
from vggt_addon.engines.dust3r.unknowns import Unknowns  # noqa: E402

PROCESSOR = torch.device("cpu")


def random_maps(photos: int, size: tuple[int, int]) -> PairMaps:
    """All pairs of so many pictures, both ways."""
    random = torch.Generator().manual_seed(0)
    maps = PairMaps.empty(mirrored(complete(photos)), [size] * photos)
    for points, confidence in zip(maps.points, maps.confidence, strict=True):
        points.normal_(generator=random)
        confidence.uniform_(1, 9, generator=random)
    return maps


def steps(maps: PairMaps) -> dict[str, Callable[[], object]]:
    """One step of each kind; each changes unknowns of its own."""
    shipped = AlignmentLoss(maps)

    def step(loss: Callable[[Unknowns], torch.Tensor]) -> Callable[[], object]:
        unknowns = Unknowns(maps.pixels, len(maps.edges))
        for picture, side in enumerate(maps.long_sides):
            unknowns.set_focal(picture, float(side))
        free = [parameter for parameter in unknowns.parameters() if parameter.requires_grad]
        optimiser = torch.optim.Adam(free, lr=RATE, betas=BETAS)

        def once() -> float:
            optimiser.zero_grad(set_to_none=True)
            value = loss(unknowns)
            torch.autograd.backward(value)
            optimiser.step()
            return float(value.detach())

        return once

    return {
        "shipped": step(lambda unknowns: shipped(unknowns.world(), unknowns.similarities())),
        "plain": step(lambda unknowns: plain.loss(maps, unknowns.split(unknowns.world()), unknowns.similarities())),
    }


def compare(photos: int, sizes: list[tuple[int, int]], repeat: int) -> None:
    """The shipped step beside the plain one."""
    print(f"{photos} photos, {photos * (photos - 1)} directed pairs; {torch.get_num_threads()} threads")
    print("| pixels | shipped s | CPU s | peak MB | plain s | CPU s | peak MB | times, clock | times, CPU |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size in sizes:
        calls = steps(random_maps(photos, size))
        values = {name: call() for name, call in calls.items()}
        ours, other = values["shipped"], values["plain"]
        if abs(float(ours) - float(other)) > 1e-4 * abs(float(other)):  # type: ignore[arg-type]
            raise SystemExit(f"the two do not agree: {values}")
        costs = alternate(calls, PROCESSOR, repeat)
        mine, theirs = costs["shipped"], costs["plain"]
        cells = [f"{size[0]} x {size[1]}"]
        for cost in (mine, theirs):
            cells += [f"{cost.seconds:.4f}", f"{cost.processor_seconds:.4f}", f"{cost.peak:.0f}"]
        cells.append(f"{theirs.seconds / mine.seconds:.1f}")
        cells.append(f"{theirs.processor_seconds / mine.processor_seconds:.1f}")
        print("| " + " | ".join(cells) + " |", flush=True)


def against_pairs(size: tuple[int, int], repeat: int) -> None:
    """The shipped step's time and memory as pairs grow."""
    print(f"\n{size[0]} x {size[1]} pixels a photo")
    print("| photos | pairs | maps MB | step s | CPU s | peak above the maps MB |")
    print("|---|---|---|---|---|---|")
    for photos in (2, 4, 8, 14, 20, 28):
        maps = random_maps(photos, size)
        held = sum(part.numel() * 4 for group in (maps.points, maps.confidence) for part in group) / 1e6
        call = steps(maps)["shipped"]
        call()
        cost = alternate({"shipped": call}, PROCESSOR, repeat)["shipped"]
        cells = [photos, photos * (photos - 1), f"{held:.0f}", f"{cost.seconds:.4f}", f"{cost.processor_seconds:.4f}"]
        print(f"| {' | '.join(map(str, cells))} | {cost.peak:.0f} |", flush=True)


def whole(photos: int, size: tuple[int, int]) -> None:
    """From maps to depth."""
    maps = pair_maps(make_scene(photos, size), outliers=0.05)
    print(f"\nwhole alignment, {photos} photos of {size[0]} x {size[1]}, 5 % outliers")
    told: list[tuple[float, float]] = []
    start = time.process_time()
    found = align(maps, settings=AlignmentSettings(), progress=lambda _, done: told.append((done, time.process_time())))
    end = time.process_time()
    first = told[0][1] if told else end
    last = next((moment for done, moment in reversed(told) if done <= 0.9), end)
    print(
        f"start {first - start:.1f} CPU s, {found.outcome.steps} steps {last - first:.1f} CPU s, "
        f"depth of every pixel {end - last:.1f} CPU s"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--size", nargs="+", default=["24x32", "48x64", "96x128"], metavar="HxW")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whole", metavar="HxW", help="a whole alignment at this size, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = [_size(text) for text in options.size]
    compare(options.photos, sizes, options.repeat)
    against_pairs(sizes[0], options.repeat)
    if options.whole:
        whole(options.photos, _size(options.whole))


def _size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


if __name__ == "__main__":
    main()
