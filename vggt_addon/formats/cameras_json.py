"""Cameras, and the depth measured with them, as one JSON file that scripts and scoring tools read.

    {"images": [{"name", "width", "height", "K": 3x3, "cam_from_world": 4x4, "depth": "NAME_depth/0000.npy"}]}

Written after COLMAP's names and OpenCV's pixels: K has pixel centres at integers, half a pixel less than `intrinsics`.
`depth` is float32 over the full frame of the photo, at about the resolution of the view's grid, 0 where unknown.
This module imports nothing beyond the standard library and numpy.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, OutputExistsError, UserError
from ..reconstruction import Json, Reconstruction, View

SAME_SURFACE = 1.03  # ratio of depths up to which 4 grid pixels may be averaged
MOST_PIXELS = 32_000_000  # of a depth map: twice the largest that can be asked for; each costs 100 bytes here
OUR_FILES = re.compile(r"\d{4,}\.npy")


def write_cameras_json(reconstruction: Reconstruction, path: Path | str) -> Path:
    """Write the cameras to `path`, and the measured depth, where there is any, to the folder `<stem>_depth` beside it.

    World units and frame are the engine's (`scene_from_world` is not applied). Both are written under temporary names
    and renamed; an existing file is replaced, an existing folder only if it holds nothing but such depth maps.
    Returns the absolute path. Raises OutputExistsError for such a folder, UserError where the disk refuses.
    """
    path = Path(path).absolute()
    folder = depth_folder(path)
    if (folder.exists() or folder.is_symlink()) and not _is_ours(folder):
        raise OutputExistsError(f"{folder} holds something other than depth maps and is left as it is.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.stem}-", dir=path.parent))
        try:
            _write(reconstruction, temporary, folder.name)
            _move_into_place(temporary, folder, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"The cameras could not be written to {path}: {error.strerror or error}.", repr(error)
        ) from error
    return path


def depth_folder(path: Path) -> Path:
    """Where the depth maps of the cameras in `path` lie."""
    return path.with_name(f"{path.stem.replace('#', '_')}_depth")  # readers take what follows a # for a key


def _is_ours(folder: Path) -> bool:
    return (
        folder.is_dir()
        and not folder.is_symlink()
        and all(OUR_FILES.fullmatch(file.name) and file.is_file() for file in folder.iterdir())
    )


def _write(reconstruction: Reconstruction, temporary: Path, depth_folder: str) -> None:
    """The JSON as `temporary`/cameras.json and the depth maps in `temporary`/depth."""
    (temporary / "depth").mkdir(mode=0o755)
    images = []
    for index, view in enumerate(reconstruction.views):
        image = _image(view)
        if view.depth is not None:
            np.save(temporary / "depth" / f"{index:04d}.npy", full_frame_depth(view), allow_pickle=False)
            image["depth"] = f"{depth_folder}/{index:04d}.npy"
        images.append(image)
    text = json.dumps({"images": images}, indent=1, ensure_ascii=False, allow_nan=False)
    # A file name that is no valid Unicode becomes JSON's own escape.
    (temporary / "cameras.json").write_bytes(text.encode("utf-8", "backslashreplace"))


def _image(view: View) -> dict[str, Json]:
    intrinsics = view.intrinsics.copy()
    intrinsics[:2, 2] -= 0.5
    return {
        "name": view.name,
        "width": view.width,
        "height": view.height,
        "K": intrinsics.tolist(),
        "cam_from_world": view.camera_from_world.tolist(),
    }


def _move_into_place(temporary: Path, folder: Path, path: Path) -> None:
    """Depth first, the file that names it last."""
    if folder.exists():
        os.replace(folder, temporary / "old")
    try:
        if any((temporary / "depth").iterdir()):
            os.replace(temporary / "depth", folder)
        os.replace(temporary / "cameras.json", path)
    except OSError:
        if folder.exists():
            os.replace(folder, temporary / "depth")
        if (temporary / "old").exists():
            os.replace(temporary / "old", folder)
        raise


def full_frame_depth(view: View) -> NDArray[np.float32]:
    """The measured depth of `view` over the full frame of its photo: (h, w) float32, world units, 0 where unknown.

    (h, w) is the photo's size divided by the grid's step, the same aspect as the photo. Where the grid is a plain
    reduction of the photo this is `depth` itself. Elsewhere each pixel takes the mean, in inverse depth, of the 4 grid
    pixels around it if all are measured and of one surface, else the nearest grid pixel's value, measured or not:
    nothing is invented. Raises ValueError where the view has no depth, FormatError where the frame is absurdly large
    beside the grid (no engine makes such a view, but a file may claim it).
    """
    if view.depth is None or view.photo_from_grid is None:
        raise ValueError(f"{view.name} has no depth")
    steps = np.linalg.norm(view.photo_from_grid[:2, :2], axis=0) / view.photo_from_grid[2, 2]
    width, height = (max(round(size / step), 1) for size, step in zip((view.width, view.height), steps, strict=True))
    if width * height > MOST_PIXELS:
        raise FormatError(
            f"The depth of {view.name} cannot be exported: over its photo it would be {width} x {height}."
        )
    columns, rows = np.meshgrid(
        (np.arange(width) + 0.5) * view.width / width, (np.arange(height) + 0.5) * view.height / height
    )
    at = np.stack([columns, rows, np.ones_like(columns)], axis=-1) @ np.linalg.inv(view.photo_from_grid).T
    return _sampled(view.depth, at[..., 0] / at[..., 2] - 0.5, at[..., 1] / at[..., 2] - 0.5)


def _sampled(
    depth: NDArray[np.float32], columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float32]:
    """`depth` at positions counted from the first pixel's centre; 0 outside the grid."""
    height, width = depth.shape
    nearest_column, nearest_row = np.rint(columns), np.rint(rows)
    inside = (nearest_column >= 0) & (nearest_column < width) & (nearest_row >= 0) & (nearest_row < height)
    nearest = depth[
        np.clip(nearest_row, 0, height - 1).astype(np.int64), np.clip(nearest_column, 0, width - 1).astype(np.int64)
    ]
    result = np.where(inside, nearest, np.float32(0))
    between = (np.abs(columns - nearest_column) > 1e-6) | (np.abs(rows - nearest_row) > 1e-6)
    left, top = np.floor(columns), np.floor(rows)
    between &= (left >= 0) & (left < width - 1) & (top >= 0) & (top < height - 1)
    left, top = left[between].astype(np.int64), top[between].astype(np.int64)
    right_share, low_share = columns[between] - left, rows[between] - top
    corners = np.stack([depth[top + down, left + over] for down in (0, 1) for over in (0, 1)]).astype(np.float64)
    one_surface = (corners.min(axis=0) > 0) & (corners.max(axis=0) <= SAME_SURFACE * corners.min(axis=0))
    weights = np.stack([
        (1 - low_share) * (1 - right_share), (1 - low_share) * right_share,
        low_share * (1 - right_share), low_share * right_share,
    ])  # fmt: skip
    mean = 1.0 / (weights / np.where(corners > 0, corners, 1.0)).sum(axis=0)
    result[between] = np.where(one_surface, mean.astype(np.float32), result[between])
    return result
