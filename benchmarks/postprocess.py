"""What postprocess costs, as ratios within one run: python benchmarks/postprocess.py

Filling a relief's holes at 512 x 384 against sorting as many numbers, and gathering the points of eight views against
sorting as many numbers: ratios that hold on any machine. Least of three runs, processor time.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vggt_addon.postprocess.fill import fill_depth
from vggt_addon.postprocess.points import gather_points
from vggt_addon.reconstruction import View


def least_seconds(work: Callable[[], object]) -> float:
    """Of a processor, in three runs."""
    runs = []
    for _ in range(3):
        start = time.process_time()
        work()
        runs.append(time.process_time() - start)
    return min(runs)


def random_view(number: int) -> View:
    """512 x 384 pixels of which two fifths are holes."""
    random = np.random.default_rng(number)
    depth = np.where(random.uniform(size=(384, 512)) < 0.4, 0, random.uniform(1, 5, (384, 512))).astype(np.float32)
    path = Path("/nowhere") / f"{number}.jpg"
    return View(
        name=path.name,
        identity=str(number),
        original=path,
        photo=path,
        width=1024,
        height=768,
        intrinsics=np.array([[900.0, 0, 512], [0, 900.0, 384], [0, 0, 1]]),
        camera_from_world=np.eye(4),
        photo_from_grid=np.diag([2.0, 2.0, 1.0]),
        depth=depth,
        confidence=(depth > 0).astype(np.float32),
        color=random.integers(0, 256, (384, 512, 3)).astype(np.uint8),
    )


def main() -> int:
    """Print both ratios."""
    views = [random_view(number) for number in range(8)]
    depth, confidence, color = views[0].depth, views[0].confidence, views[0].color
    assert depth is not None and confidence is not None
    numbers = np.random.default_rng(0).permutation(depth.size * len(views))
    sort_one = least_seconds(lambda: np.sort(numbers[: depth.size]))
    sort_all = least_seconds(lambda: np.argsort(numbers, kind="stable"))
    fill = least_seconds(lambda: fill_depth(depth, confidence, color))
    gather = least_seconds(lambda: gather_points(views, 200_000))
    print(f"fill one relief      {fill:7.3f} s = {fill / sort_one:5.1f} sorts of its pixels")
    print(f"gather and thin      {gather:7.3f} s = {gather / sort_all:5.1f} sorts of all pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
