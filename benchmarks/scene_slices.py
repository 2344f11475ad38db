"""How long building a large capture holds Blender's main thread, slice by slice.

    python benchmarks/scene_slices.py [--views 200] [--points 1000000] [--grid 512x384] [--holes] [--limit 100]

Real pictures of 12 megapixels, depth grids with structure, and a scene that has content already. What takes long
outside Blender's thread (`prepare`) and what Blender does at its next redraw (evaluation) and for the undo step is
told, but is no slice. With --holes the reliefs have cells left out, so that none shares another's topology. Exits
with 1 where the work of a slice (of its thread: what else runs on the machine does not count) is above the limit.
"""

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
PHOTO = (4000, 3000)  # width, height


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--views", type=int, default=200)
    arguments.add_argument("--points", type=int, default=1_000_000)
    arguments.add_argument("--grid", default="512x384", help="width x height of a depth grid")
    arguments.add_argument("--holes", action="store_true")
    arguments.add_argument("--pack", action="store_true")
    arguments.add_argument("--limit", type=float, default=100.0)
    options = arguments.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    with tempfile.TemporaryDirectory() as folder:
        return measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> int:
    """Build, rebuild, give up and remove one capture; print the longest slice of each stage."""
    import bpy

    from vggt_addon.scene import parts
    from vggt_addon.scene.build import BuildSettings, build_steps
    from vggt_addon.scene.captures import rebuild_steps, remove_capture
    from vggt_addon.scene.prepare import prepare

    parts.can_undo = lambda: True  # as in a window
    bpy.ops.wm.read_factory_settings(use_empty=False)
    bpy.ops.ed.undo_push(message="Start")
    reconstruction = large_capture(options, folder)
    settings = BuildSettings(pack=options.pack)
    prepared = told("prepare (in a thread)", lambda: prepare(reconstruction))
    worst, built = run("build", build_steps(reconstruction, settings=settings, prepared=prepared))
    told("  evaluation, at the next redraw", bpy.context.view_layer.update)
    told("  undo step", lambda: bpy.ops.ed.undo_push(message="Build"))
    longest = worst
    worst, _ = run("rebuild", rebuild_steps(built.root, reconstruction, settings, prepared=prepared))
    longest = max(longest, worst)
    steps = build_steps(reconstruction, settings=settings, prepared=prepared)
    for _ in range(2 * options.views):
        next(steps)
    told("give up half-way", steps.close)
    told("remove the capture", lambda: remove_capture(built.root))
    print(f"longest slice {longest:.0f} ms, limit {options.limit:.0f} ms")
    return 0 if longest <= options.limit else 1


def run(name: str, steps: Any) -> tuple[float, Any]:
    """All slices of `steps`: the longest one's work in milliseconds, and what was built."""
    stages: dict[str, list[tuple[float, float]]] = {}
    gc.collect()
    while True:
        clocks = time.perf_counter(), time.thread_time()
        try:
            stage, _ = next(steps)
        except StopIteration as end:
            stages["the last slice"] = [since(clocks)]
            built = end.value
            break
        stages.setdefault(stage, []).append(since(clocks))
    for stage, times in stages.items():
        longest, work = (max(column) for column in zip(*times, strict=True))
        print(
            f"{name:>8} {stage:<15}{len(times):>4} slices, longest {longest:>6.1f} ms on the clock, "
            f"{work:>6.1f} ms of work; {sum(work for _, work in times):>6.0f} ms of work in all"
        )
    return max(max(work for _, work in times) for times in stages.values()), built


def since(clocks: tuple[float, float]) -> tuple[float, float]:
    """Milliseconds on the clock, and of work of this thread."""
    return 1000 * (time.perf_counter() - clocks[0]), 1000 * (time.thread_time() - clocks[1])


def told(what: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    print(f"{what}: {1000 * (time.perf_counter() - start):.0f} ms")
    return result


def large_capture(options: argparse.Namespace, folder: Path) -> Any:
    """Cameras on a circle round a bumpy ball, and a cloud of its points."""
    from vggt_addon.reconstruction import PointCloud, Reconstruction

    rng = np.random.default_rng(0)
    width, height = (int(side) for side in options.grid.split("x"))
    picture = photo(folder, rng)
    columns, rows = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    views = []
    for index in range(options.views):
        depth = (4 - np.sqrt(np.maximum(1 - columns**2 - rows**2, 0)) + 0.05 * np.sin(9 * columns + index)).astype("f4")
        views.append(view(index, options, copy_of(picture, folder, index), depth, rng))
    position = rng.normal(size=(options.points, 3))
    position /= np.linalg.norm(position, axis=1)[:, None]
    color = rng.integers(0, 256, position.shape, np.uint8)
    owner = rng.integers(0, options.views, options.points).astype(np.int32)
    cloud = PointCloud(position, color, rng.random(options.points, np.float32), owner, 0.003)
    return Reconstruction(tuple(views), "benchmark", points=cloud, scene_from_world=np.eye(4))


def view(index: int, options: argparse.Namespace, path: Path, depth: Any, rng: Any) -> Any:
    from vggt_addon.reconstruction import View

    angle = 2 * np.pi * index / options.views
    pose = np.eye(4)
    pose[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    pose[2, 3] = 4.0
    if options.holes:
        depth[rng.random(depth.shape) < 0.002] = 0
    corners = np.stack([depth[:-1, :-1], depth[1:, :-1], depth[1:, 1:], depth[:-1, 1:]])
    step = PHOTO[0] / depth.shape[1]
    return View(
        name=path.name,
        identity=str(index),
        original=path,
        photo=path,
        width=PHOTO[0],
        height=PHOTO[1],
        intrinsics=np.array([[PHOTO[0], 0, PHOTO[0] / 2], [0, PHOTO[0], PHOTO[1] / 2], [0, 0, 1.0]]),
        camera_from_world=pose,
        photo_from_grid=np.diag([step, step, 1.0]),
        depth=depth,
        confidence=rng.random(depth.shape, np.float32),
        relief_depth=None if options.holes else depth,
        depth_edge=corners.max(axis=0) > 1.08 * corners.min(axis=0),
    )


def photo(folder: Path, rng: Any) -> Path:
    """A JPEG of 12 megapixels with something in it."""
    import bpy

    from vggt_addon.scene import attributes

    coarse = rng.integers(0, 256, (PHOTO[1] // 20, PHOTO[0] // 20, 3), np.uint8)
    image = bpy.data.images.new("photo", *PHOTO)
    attributes.set_pixels(image, np.kron(coarse, np.ones((20, 20, 1), np.uint8)))
    image.filepath_raw, image.file_format = str(folder / "photo.jpg"), "JPEG"
    image.save()
    bpy.data.images.remove(image)
    return folder / "photo.jpg"


def copy_of(picture: Path, folder: Path, index: int) -> Path:
    return Path(shutil.copyfile(picture, folder / f"photo_{index:04d}.jpg"))


if __name__ == "__main__":
    sys.exit(main())
