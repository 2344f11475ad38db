"""What dense depth costs and how good it is, with true cameras: python benchmarks/dense_depth.py [--long-side 512]

Two sets: fountain_p11 (real photos; found by SHARED=, default ../shared; judged at the two thirds of its reference
points that are not used as sparse points) and examples/courtyard (rendered; judged at every pixel of its true depth).

OpenCV or numpy: the two kernels that fill the time are measured in both. At 512 x 341 in 32-bit floats, on two
cores of a busy machine, a bilinear warp takes 0.6 to 0.9 ms with OpenCV and 6.5 to 9.7 ms with numpy, a Gaussian
window 0.2 to 0.3 and 1.0 to 1.2 ms. The whole, in one run over four photos of fountain_p11: 1.6 CPU seconds a photo
with OpenCV, 3.5 with these two kernels alone in numpy, and the same depth. With 2.5 for the cameras and some more
for pictures and postprocess, numpy would break the budget of 6 CPU seconds a photo, so OpenCV is the one path; it
adds 37 to 50 MB to the download of a platform. Semi-global aggregation is numpy's, in 16-bit integers.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.engines.sfm.dense.estimate import DenseView, DepthMap, estimate_depth  # noqa: E402 - needs the path
from vggt_addon.geometry.projection import project, scale_pixels, unproject  # noqa: E402

Float = NDArray[np.float64]
SHARED = Path(os.environ.get("SHARED", "") or REPOSITORY.parent / "shared")


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_view(path: Path, camera: dict[str, object], long_side: int, tracks: NDArray[np.int64]) -> DenseView:
    """A photo, upright, at the depth grid's size. The camera JSON has pixel centres at integers."""
    color = np.asarray(cv2.imread(str(path)), dtype=np.uint8)[:, :, ::-1]
    height, width = color.shape[:2]
    scale = long_side / max(width, height)
    size = round(width * scale), round(height * scale)
    intrinsics = np.array(camera["K"], dtype=np.float64)
    intrinsics[:2, 2] += 0.5
    return DenseView(
        path.stem,
        np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_AREA), dtype=np.uint8),
        scale_pixels(size[0] / width, size[1] / height) @ intrinsics,
        np.array(camera["cam_from_world"], dtype=np.float64),
        tracks,
    )


def at_points(view: DenseView, depth: Float, points: Float) -> tuple[NDArray[np.bool_], Float, Float]:
    """Which points fall into the picture, their depth, and the map's depth at those that do."""
    pixels, distance = project(view.intrinsics, view.camera_from_world, points)
    place = np.floor(np.nan_to_num(pixels, nan=-1)).astype(int)
    inside = (place >= 0).all(axis=1) & (place < depth.shape[::-1]).all(axis=1)
    return inside, distance, depth[place[inside, 1], place[inside, 0]]


def report(name: str, seconds: float, wall: float, maps: list[DepthMap]) -> None:
    size = "x".join(str(side) for side in maps[0].depth.shape[::-1])
    complete = np.mean([(found.depth > 0).mean() for found in maps])
    print(f"{name}: {len(maps)} photos, {size}: {seconds / len(maps):.2f} CPU s a photo, {wall:.1f} s in all")
    print(f"  measured {complete:.2%} of all pixels; peak memory {peak_megabytes():.0f} MB")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def estimate(name: str, views: list[DenseView], tracks: Float) -> list[DepthMap]:
    start, begin = processor_seconds(), time.monotonic()
    maps = estimate_depth(views, tracks)
    report(name, processor_seconds() - start, time.monotonic() - begin, maps)
    return maps


def shares(errors: Float) -> str:
    within = ", ".join(f"{(errors < limit).mean():.2%} within {limit:.1%}" for limit in (0.005, 0.01, 0.03))
    return f"median {np.median(errors):.4%}, {within}"


def fountain(long_side: int) -> None:
    folder = SHARED / "datasets" / "fountain_p11"
    reference = np.load(folder / "points_ref.npz")
    points = reference["points"].astype(np.float64)
    as_track = np.random.default_rng(0).random(len(points)) < 1 / 3
    views, judges = [], []
    for camera in json.loads((folder / "cameras_gt.json").read_text())["images"]:
        path = folder / "images" / camera["name"]
        seen = reference[f"obs_{path.stem}"][:, 0].astype(np.int64)
        views.append(read_view(path, camera, long_side, seen[as_track[seen]]))
        judges.append(points[seen[~as_track[seen]]])
    maps = estimate("fountain_p11", views, points)
    errors, count = [], 0
    for view, found, judge in zip(views, maps, judges, strict=True):
        inside, distance, measured = at_points(view, found.depth.astype(np.float64), judge)
        errors.append(np.abs(measured / distance[inside] - 1)[measured > 0])
        count += len(judge)
    joined = np.concatenate(errors)
    print(f"  reference points: {len(joined) / count:.2%} kept; of those {shares(joined)}")


def courtyard(long_side: int) -> None:
    folder = REPOSITORY / "examples" / "courtyard"
    cameras = json.loads((folder / "cameras.json").read_text())["images"]
    truth = np.load(folder / "depth.npz")
    no_tracks = np.zeros(0, dtype=np.int64)
    views = [read_view(folder / camera["name"], camera, long_side, no_tracks) for camera in cameras]
    depths = [truth[view.name] / 1000.0 for view in views]
    tracks = sparse_points(views, depths)
    views = [
        DenseView(v.name, v.color, v.intrinsics, v.camera_from_world, observed(v, depth, tracks))
        for v, depth in zip(views, depths, strict=True)
    ]
    maps = estimate("courtyard", views, tracks)
    everywhere: list[Float] = []
    edges: list[Float] = []
    counts = [0, 0]
    for found, depth in zip(maps, depths, strict=True):
        measured = sample(found.depth, depth.shape)
        error = np.abs(measured / np.where(depth > 0, depth, np.inf) - 1)
        near_edge = beside_silhouette(depth)
        for errors, where, index in ((everywhere, depth > 0, 0), (edges, near_edge, 1)):
            errors.append(error[where & (measured > 0)])
            counts[index] += int(where.sum())
    for errors, count, name in ((everywhere, counts[0], "all pixels"), (edges, counts[1], "beside silhouettes")):
        joined = np.concatenate(errors)
        print(f"  {name}: {len(joined) / count:.2%} kept; of those {shares(joined)}")


def sample(depth: NDArray[np.float32], shape: tuple[int, ...]) -> Float:
    """Depth at the nearest pixel to the pixel centres of a smaller grid."""
    rows = ((np.arange(shape[0]) + 0.5) * depth.shape[0] / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * depth.shape[1] / shape[1]).astype(int)
    return np.asarray(depth[rows][:, columns], dtype=np.float64)


def beside_silhouette(depth: Float) -> NDArray[np.bool_]:
    """Pixels within 2 of a place where depth changes by more than 5 % between neighbours."""
    window = np.ones((5, 5), dtype=np.uint8)
    return np.asarray((depth > 0) & (cv2.dilate(depth, window) > 1.05 * cv2.erode(depth, window)))


def sparse_points(views: list[DenseView], depths: list[Float]) -> Float:
    """400 points a photo on its true surface, world, in place of those of structure from motion."""
    random = np.random.default_rng(0)
    points = []
    for view, depth in zip(views, depths, strict=True):
        rows, columns = np.nonzero(depth > 0)
        chosen = random.choice(len(rows), 400, replace=False)
        pixels = (np.stack([columns, rows], axis=-1)[chosen] + 0.5) * (view.color.shape[1] / depth.shape[1])
        distance = depth[rows[chosen], columns[chosen]]
        points.append(unproject(view.intrinsics, view.camera_from_world, pixels, distance))
    return np.concatenate(points)


def observed(view: DenseView, depth: Float, points: Float) -> NDArray[np.int64]:
    large = cv2.resize(depth, view.color.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    inside, distance, truth = at_points(view, np.asarray(large, dtype=np.float64), points)
    seen = inside.copy()
    seen[inside] = np.abs(distance[inside] / np.where(truth > 0, truth, np.inf) - 1) < 0.02
    return np.flatnonzero(seen).astype(np.int64)


def milliseconds(task: Callable[[], object], times: int = 40) -> float:
    task()
    start = time.process_time()
    for _ in range(times):
        task()
    return (time.process_time() - start) / times * 1e3


def numpy_warp(values: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape
    column = np.clip(np.floor(x).astype(np.int32), 0, width - 2)
    row = np.clip(np.floor(y).astype(np.int32), 0, height - 2)
    right, down = x - column, y - row
    flat, place = values.ravel(), row * width + column
    top = flat[place] * (1 - right) + flat[place + 1] * right
    bottom = flat[place + width] * (1 - right) + flat[place + width + 1] * right
    return np.asarray(top * (1 - down) + bottom * down, dtype=np.float32)


def numpy_window(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    radius = len(weights) // 2
    height, width = values.shape
    padded = np.pad(values, ((radius, radius), (0, 0)), mode="reflect")
    rows = sum(padded[k : k + height] * weight for k, weight in enumerate(weights))
    padded = np.pad(rows, ((0, 0), (radius, radius)), mode="reflect")
    return np.asarray(sum(padded[:, k : k + width] * weight for k, weight in enumerate(weights)), dtype=np.float32)


def kernels() -> None:
    cv2.setNumThreads(1)
    values = np.random.default_rng(0).random((341, 512), dtype=np.float32)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[0:341, 0:512])
    x, y = x * np.float32(0.99) + 1, y * np.float32(0.98) + 2
    weights = cv2.getGaussianKernel(7, 1.5, cv2.CV_32F)[:, 0].astype(np.float32)
    np.testing.assert_allclose(numpy_warp(values, x, y), cv2.remap(values, x, y, cv2.INTER_LINEAR), atol=0.05)
    np.testing.assert_allclose(numpy_window(values, weights), cv2.GaussianBlur(values, (7, 7), 1.5), atol=1e-5)
    with_opencv = milliseconds(lambda: cv2.remap(values, x, y, cv2.INTER_LINEAR))
    with_numpy = milliseconds(lambda: numpy_warp(values, x, y))
    print(f"warp 512x341: OpenCV {with_opencv:.2f} ms, numpy {with_numpy:.2f} ms")
    with_opencv = milliseconds(lambda: cv2.GaussianBlur(values, (7, 7), 1.5))
    print(
        f"window 7x7: OpenCV {with_opencv:.2f} ms, numpy {milliseconds(lambda: numpy_window(values, weights)):.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long-side", type=int, default=512, help="pixels of the depth grid")
    parser.add_argument("--sets", nargs="*", choices=("kernels", "fountain", "courtyard"), default=None)
    arguments = parser.parse_args()
    chosen = arguments.sets or ["kernels", "fountain", "courtyard"]
    if "kernels" in chosen:
        kernels()
    if "fountain" in chosen and (SHARED / "datasets" / "fountain_p11").exists():
        fountain(arguments.long_side)
    if "courtyard" in chosen:
        courtyard(arguments.long_side)


if __name__ == "__main__":
    main()
