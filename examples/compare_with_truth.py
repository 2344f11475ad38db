"""How near a capture comes to known cameras and depth.

    python examples/compare_with_truth.py CAPTURE_FOLDER cameras.json

`cameras.json` as the example's: K with pixel centres at integers, cam_from_world in OpenCV axes, depth as npz. One
similarity aligns the two worlds; nothing is fitted per photo. AUC@3 is the area under the share of photo pairs whose
rotation and translation direction are right within 1, 2 and 3 degrees (a photo that is missing counts as wrong).
This module imports nothing beyond the standard library, numpy and the package.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from vggt_addon.geometry.projection import camera_center
from vggt_addon.reconstruction import Reconstruction, View

Float = NDArray[np.float64]


def main() -> int:
    """Print the figures. Returns 0: they are for reading; the tests hold the bounds."""
    capture, truth_file = Path(sys.argv[1]), Path(sys.argv[2])
    for line in compare(Reconstruction.load(capture), truth_file):
        print(line)
    return 0


def compare(reconstruction: Reconstruction, truth_file: Path) -> list[str]:
    """Lines of text: photos placed, AUC@3, focal length, camera centres and depth against the truth."""
    truth = {Path(image["name"]).stem: image for image in json.loads(truth_file.read_text(encoding="utf-8"))["images"]}
    views = {Path(view.name).stem: view for view in reconstruction.views}
    common = [name for name in sorted(truth) if name in views]
    lines = [f"photos placed         {len(common)} of {len(truth)}"]
    if len(common) < 2:
        return lines
    true_poses = {name: np.array(truth[name]["cam_from_world"], np.float64) for name in truth}
    errors = pair_errors({name: views[name].camera_from_world for name in common}, true_poses)
    auc = float(np.mean([(errors < degrees).mean() for degrees in (1, 2, 3)])) * 100
    lines.append(f"pose AUC@3            {auc:.1f}  (worst pair {errors.max():.2f} degrees)")
    focal = [abs(views[name].intrinsics[0, 0] / truth[name]["K"][0][0] - 1) * 100 for name in common]
    lines.append(f"focal length error    {np.mean(focal):.2f} %")
    scale, rotation, shift = similarity([(views[name].camera_from_world, true_poses[name]) for name in common])
    centers = np.array([scale * rotation @ camera_center(views[name].camera_from_world) + shift for name in common])
    true_centers = np.array([camera_center(true_poses[name]) for name in common])
    extent = np.linalg.norm(np.ptp(true_centers, axis=0))
    off = np.linalg.norm(centers - true_centers, axis=1).mean() / extent * 100
    lines.append(f"camera centre error   {off:.2f} % of the cameras' extent")
    return lines + depth_lines(views, truth, common, scale, truth_file.parent)


def pair_errors(poses: dict[str, Float], true_poses: dict[str, Float]) -> Float:
    """Degrees for every pair of photos: the larger of rotation error and error of the translation's direction."""
    names, errors = sorted(true_poses), []
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if first not in poses or second not in poses:
                errors.append(180.0)
                continue
            true = true_poses[second] @ np.linalg.inv(true_poses[first])
            found = poses[second] @ np.linalg.inv(poses[first])
            cosine = (np.trace(true[:3, :3].T @ found[:3, :3]) - 1) / 2
            turn = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
            directions = [matrix[:3, 3] / np.linalg.norm(matrix[:3, 3]) for matrix in (true, found)]
            errors.append(max(turn, np.degrees(np.arccos(np.clip(directions[0] @ directions[1], -1, 1)))))
    return np.array(errors)


def similarity(pairs: list[tuple[Float, Float]]) -> tuple[float, Float, Float]:
    """Scale, rotation and shift from the first world to the second: rotation from the cameras' orientations, the rest
    from their centres."""
    left, _, right = np.linalg.svd(sum(true[:3, :3].T @ found[:3, :3] for found, true in pairs))
    rotation = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    found = np.array([camera_center(pose) for pose, _ in pairs]) @ rotation.T
    true = np.array([camera_center(pose) for _, pose in pairs])
    spread = found - found.mean(axis=0)
    scale = float((spread * (true - true.mean(axis=0))).sum() / (spread**2).sum())
    return scale, rotation, true.mean(axis=0) - scale * found.mean(axis=0)


def depth_lines(
    views: dict[str, View], truth: dict[str, Any], common: list[str], scale: float, folder: Path
) -> list[str]:
    """Measured depth against the truth at the nearest true pixel."""
    relative, measured, known = [], 0, 0
    for name in common:
        view, reference = views[name], truth[name].get("depth")
        if view.depth is None or view.photo_from_grid is None or not reference:
            continue
        file, _, key = reference.partition("#")
        with np.load(folder / file, allow_pickle=False) as arrays:
            true = arrays[key]
        true = true / 1000 if true.dtype.kind == "u" else true.astype(np.float64)  # whole numbers are millimetres
        rows, columns = np.mgrid[: view.depth.shape[0], : view.depth.shape[1]] + 0.5
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ view.photo_from_grid.T
        x = (pixels[..., 0] * true.shape[1] / view.width).astype(int).clip(0, true.shape[1] - 1)
        y = (pixels[..., 1] * true.shape[0] / view.height).astype(int).clip(0, true.shape[0] - 1)
        expected = true[y, x]
        valid = np.isfinite(expected) & (expected > 0)
        both = valid & (view.depth > 0)
        relative.append(np.abs(view.depth[both] * scale / expected[both] - 1))
        measured, known = measured + int(both.sum()), known + int(valid.sum())
    if not relative:
        return []
    errors = np.concatenate(relative) * 100
    within = ", ".join(f"{(errors < limit).mean() * 100:.1f} % within {limit} %" for limit in (1, 3))
    share, median = measured / known * 100, np.median(errors)
    return [f"depth                 {share:.0f} % measured, median error {median:.2f} %, {within}"]


if __name__ == "__main__":
    sys.exit(main())
