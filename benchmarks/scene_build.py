"""What it costs to put points and reliefs into Blender, against the way through Python lists.

    python benchmarks/scene_build.py [--points 10000000] [--reliefs 20] [--repeat 3]

Each way runs in processes of its own on the same arrays, by turns; the least time and growth of the repeats count,
since whatever else the machine does only adds. Time is the processor's (both ways keep one core busy); memory is how
far the process grew beyond its inputs at its peak: about 3 GB for ten million points by lists. Only the ratios mean
anything. Exits with 1 where a ratio is above its limit.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
GRID = (392, 518)  # rows, columns of a relief
LIMITS = {"points": {"time": 0.06, "memory": 0.15}, "reliefs": {"time": 0.05}}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--points", type=int, default=10_000_000)
    arguments.add_argument("--reliefs", type=int, default=20)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--run", choices=[f"{what}-{way}" for what in LIMITS for way in ("arrays", "lists")])
    options = arguments.parse_args()
    if options.run:
        print(json.dumps(run(options.run, options.points, options.reliefs)))
        return 0
    good = True
    print(f"{'':>34}{'arrays':>13}{'lists':>13}{'ratio':>9}{'limit':>8}")
    for what, limits in LIMITS.items():
        count = f"{options.points:,} points" if what == "points" else f"{options.reliefs} reliefs of 518 x 392"
        runs = [(child(f"{what}-arrays", options), child(f"{what}-lists", options)) for _ in range(options.repeat)]
        ours, lists = (least(way) for way in zip(*runs, strict=True))
        for measure, unit in (("time", "s"), ("memory", "MB")):
            ratio, limit = ours[measure] / lists[measure], limits.get(measure)
            line = (
                f"{count + ', ' + measure:>32}{ours[measure]:>10.2f} {unit}{lists[measure]:>10.2f} {unit}{ratio:>8.3f}"
            )
            print(line + (f"{limit:>8.2f}" if limit else ""))
            good &= limit is None or ratio <= limit
    return 0 if good else 1


def least(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The smallest of each measure."""
    return {measure: min(run[measure] for run in runs) for measure in runs[0]}


def child(run_name: str, options: argparse.Namespace) -> dict[str, float]:
    """Run one way in a fresh process and read what it measured."""
    command = [sys.executable, __file__, "--run", run_name, "--points", str(options.points)]
    command += ["--reliefs", str(options.reliefs)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def run(name: str, points: int, reliefs: int) -> dict[str, float]:
    """Measure one way in this process: seconds of processor time and megabytes of growth."""
    sys.path.insert(0, str(REPOSITORY))
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    what, way = name.split("-")
    inputs = point_inputs(points) if what == "points" else relief_inputs(reliefs)
    works: dict[str, Callable[[Any], None]] = {
        "points-arrays": points_by_arrays,
        "points-lists": points_by_lists,
        "reliefs-arrays": reliefs_by_arrays,
        "reliefs-lists": reliefs_by_lists,
    }
    importlib.import_module("vggt_addon.scene.build")  # importing is no part of either way

    before = resident()
    start = time.process_time()
    works[f"{what}-{way}"](inputs)
    return {"time": time.process_time() - start, "memory": peak() - before}


def resident() -> float:
    """The process's size now, in MB (its peak where the system does not tell)."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6 if status.exists() else peak()


def peak() -> float:
    """The process's largest size so far, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB elsewhere
    return size / 1e6 if sys.platform == "darwin" else size * 1024 / 1e6


def point_inputs(count: int) -> Any:
    """A PointCloud and where it stands. Made slice by slice, so that the peak before the work is the inputs alone."""
    from vggt_addon.reconstruction import PointCloud
    from vggt_addon.scene.placement import Placement

    rng = np.random.default_rng(0)
    position, color = np.empty((count, 3)), np.empty((count, 3), np.uint8)
    for start in range(0, count, 100_000):
        part = position[start : start + 100_000]
        part[:] = rng.normal(size=part.shape)
        color[start : start + 100_000] = rng.integers(0, 256, part.shape, np.uint8)
    points = PointCloud(position, color, np.ones(count, np.float32), np.zeros(count, np.int32), 0.01)
    return points, Placement(np.full(3, 0.5), np.eye(4), 1.0, 1.0, 10.0)


def points_by_arrays(inputs: Any) -> None:
    """Positions and colours as `scene.points` makes them."""
    from vggt_addon.scene import attributes
    from vggt_addon.scene.points import COLOR

    points, placement = inputs
    mesh = attributes.new_points("points", placement.local(points.position))
    attributes.set_attribute(mesh, COLOR, points.color, "POINT")


def points_by_lists(inputs: Any) -> None:
    """The same positions and colours as lists."""
    import bpy

    points, _ = inputs
    mesh = bpy.data.meshes.new("points")
    mesh.from_pydata(points.position.tolist(), [], [])
    colors = mesh.attributes.new("Color", "BYTE_COLOR", "POINT")
    opaque = np.concatenate([points.color / 255.0, np.ones((len(points.color), 1))], axis=1)
    colors.data.foreach_set("color_srgb", opaque.ravel().tolist())


def relief_inputs(count: int) -> Any:
    """Views with depth, and where they stand."""
    from vggt_addon.reconstruction import Reconstruction, View
    from vggt_addon.scene.placement import place

    rng = np.random.default_rng(0)
    width, height = 3 * GRID[1], 3 * GRID[0]
    intrinsics = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]])
    views = []
    for index in range(count):
        depth = rng.uniform(1, 2, GRID).astype(np.float32)
        photo = Path(f"photo_{index}.jpg")
        views.append(
            View(
                name=photo.name,
                identity=str(index),
                original=photo,
                photo=photo,
                width=width,
                height=height,
                intrinsics=intrinsics,
                camera_from_world=np.eye(4),
                photo_from_grid=np.diag([3.0, 3.0, 1.0]),
                depth=depth,
                confidence=rng.random(GRID, np.float32),
                relief_depth=depth,
                depth_edge=np.zeros((GRID[0] - 1, GRID[1] - 1), np.bool_),
            )
        )
    return views, place(Reconstruction(tuple(views), "benchmark"))


def reliefs_by_arrays(inputs: Any) -> None:
    from vggt_addon.scene.reliefs import ReliefMeshes

    views, placement = inputs
    meshes = ReliefMeshes(placement)
    for view in views:
        meshes.mesh(view, view.name)


def reliefs_by_lists(inputs: Any) -> None:
    """The same meshes, positions and UVs computed by numpy too, but handed over as lists."""
    import bpy

    from vggt_addon.geometry.projection import grid_pixels, unproject
    from vggt_addon.scene.reliefs import cells

    views, placement = inputs
    for view in views:
        pixels = grid_pixels(view.photo_from_grid, *GRID).reshape(-1, 2)
        world = unproject(view.intrinsics, view.camera_from_world, pixels, view.depth.ravel())
        corners, _ = cells(view.depth)
        mesh = bpy.data.meshes.new(view.name)
        mesh.from_pydata((world - placement.world_origin).tolist(), [], corners.tolist())
        uv = (pixels / (view.width, view.height) * (1, -1) + (0, 1))[corners.ravel()]
        mesh.uv_layers.new(name="photo").data.foreach_set("uv", uv.ravel().tolist())
        rows = np.minimum(view.confidence[:-1], view.confidence[1:])
        confidence = np.minimum(rows[:, :-1], rows[:, 1:])
        mesh.attributes.new("confidence", "FLOAT", "FACE").data.foreach_set("value", confidence.ravel().tolist())
        mesh.attributes.new("depth_edge", "BOOLEAN", "FACE").data.foreach_set("value", view.depth_edge.ravel().tolist())


if __name__ == "__main__":
    sys.exit(main())
