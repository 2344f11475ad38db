"""A Reconstruction on disk: `reconstruction.json`, one `.npy` per array, and the pictures that had to be made.

    capture/
        reconstruction.json     schema, engine, settings, views with their small matrices
        arrays/                 view_0000_depth.npy ..., points_position.npy ...
        photos/                 upright sRGB copies, only where the original file cannot be shown as it is

The folder is written under a temporary name beside its final one and renamed when complete. Loading executes nothing:
no pickle, no path that leaves the folder, every shape and type checked.
This module imports nothing beyond the standard library and numpy.
"""

import dataclasses
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, OutputExistsError, UserError
from .reconstruction import Json, LeftOut, Lens, PointCloud, Reconstruction, SolveReport, View

SCHEMA = 1
FILE_NAME = "reconstruction.json"
VIEW_ARRAYS = ("depth", "confidence", "color", "relief_depth", "depth_edge")
POINT_ARRAYS = ("position", "color", "confidence", "view")


def save(reconstruction: Reconstruction, folder: Path, *, overwrite: bool = False) -> Path:
    """Write `reconstruction` to `folder` as one step and return the folder's absolute path.

    Raises OutputExistsError where `folder` exists (unless `overwrite`, which replaces only a folder that holds a
    Reconstruction), UserError where the disk refuses.
    """
    folder = folder.absolute()
    if folder.exists():
        if not overwrite:
            raise OutputExistsError(f"{folder} already exists. Choose another name, or overwrite it with --force.")
        if not (folder / FILE_NAME).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputExistsError(f"{folder} holds something other than a capture and is left as it is.")
    try:
        with _renamed_when_complete(folder) as temporary:
            _write(reconstruction, temporary, folder)
    except OSError as error:
        raise UserError(
            f"The capture could not be written to {folder}: {error.strerror or error}.", repr(error)
        ) from error
    return folder


@contextmanager
def _renamed_when_complete(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name on success and vanishes on failure."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp's 0o700 would lock out the artist's colleagues
        yield temporary
        if folder.exists():
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            os.replace(folder, aside / "old")
            try:
                os.replace(temporary, folder)
            except OSError:
                os.replace(aside / "old", folder)
                raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(reconstruction: Reconstruction, folder: Path, final_folder: Path) -> None:
    (folder / "arrays").mkdir()
    views = []
    taken: set[str] = set()
    for index, view in enumerate(reconstruction.views):
        arrays = {name: getattr(view, name) for name in VIEW_ARRAYS}
        views.append(
            {
                "name": view.name,
                "identity": view.identity,
                "original": _reference(view.original, final_folder),
                "photo": _store_photo(view, folder, final_folder, taken),
                "width": view.width,
                "height": view.height,
                "intrinsics": view.intrinsics.tolist(),
                "camera_from_world": view.camera_from_world.tolist(),
                "photo_from_grid": _list(view.photo_from_grid),
                "lens": None if view.lens is None else dataclasses.asdict(view.lens),
                "report": dataclasses.asdict(view.report),
                "arrays": _store_arrays(arrays, folder, f"view_{index:04d}"),
            }
        )
    points = reconstruction.points
    document = {
        "schema": SCHEMA,
        "engine": reconstruction.engine,
        "capture_id": reconstruction.capture_id,
        "weights": reconstruction.weights and dict(reconstruction.weights),
        "settings": dict(reconstruction.settings),
        "reference": reconstruction.reference,
        "left_out": [dataclasses.asdict(photo) for photo in reconstruction.left_out],
        "warnings": list(reconstruction.warnings),
        "report": dict(reconstruction.report),
        "scene_from_world": _list(reconstruction.scene_from_world),
        "points": points
        and {
            "spacing": points.spacing,
            "arrays": _store_arrays({name: getattr(points, name) for name in POINT_ARRAYS}, folder, "points"),
        },
        "views": views,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def _list(matrix: NDArray[np.float64] | None) -> Json:
    return None if matrix is None else matrix.tolist()


def _store_arrays(arrays: dict[str, NDArray[Any] | None], folder: Path, prefix: str) -> dict[str, str]:
    files = {}
    for name, array in arrays.items():
        if array is not None:
            files[name] = f"arrays/{prefix}_{name}.npy"
            np.save(folder / files[name], array, allow_pickle=False)
    return files


def _store_photo(view: View, folder: Path, final_folder: Path, taken: set[str]) -> Json:
    """A reference to the original, or the name of the copy put into `photos/` where we made the picture."""
    if view.photo == view.original:
        return _reference(view.original, final_folder)
    name, number = view.photo.name, 1
    while name.casefold() in taken:
        number += 1
        name = f"{view.photo.stem}_{number}{view.photo.suffix}"
    taken.add(name.casefold())
    (folder / "photos").mkdir(exist_ok=True)
    shutil.copyfile(view.photo, folder / "photos" / name)
    return {"inside": f"photos/{name}"}


def _reference(path: Path, final_folder: Path) -> Json:
    """A file outside the folder, both relative (so that both may move together) and absolute (so that it alone may)."""
    absolute = path.absolute()
    try:
        relative: str | None = Path(os.path.relpath(absolute, final_folder)).as_posix()
    except ValueError:  # another drive on Windows
        relative = None
    return {"relative": relative, "absolute": str(absolute)}


def load(folder: Path) -> Reconstruction:
    """Read a folder that `save` wrote. Raises FormatError, naming the file, where it is damaged, hostile or newer."""
    folder = folder.absolute()
    file = folder / FILE_NAME
    try:
        document = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise FormatError(f"{folder} is not a capture: it holds no {FILE_NAME}.", repr(error)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{file} cannot be read: it is damaged or not a capture.", repr(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise FormatError(f"{file} is not a capture's description.")
    if document["schema"] > SCHEMA:
        raise FormatError(f"{file} was written by a newer version of this extension; update it to open the capture.")
    try:
        return _read(document, folder)
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(f"{file} is damaged: {error}.", repr(error)) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _read(document: dict[str, Any], folder: Path) -> Reconstruction:
    points = document["points"]
    scene_from_world = document["scene_from_world"]
    return Reconstruction(
        views=tuple(_read_view(view, folder) for view in document["views"]),
        engine=_text(document["engine"]),
        capture_id=_text(document["capture_id"]),
        weights=document["weights"] and {_text(key): _text(value) for key, value in document["weights"].items()},
        settings=dict(document["settings"]),
        reference=int(document["reference"]),
        left_out=tuple(LeftOut(_text(photo["name"]), _text(photo["reason"])) for photo in document["left_out"]),
        warnings=tuple(_text(warning) for warning in document["warnings"]),
        report=dict(document["report"]),
        points=points and PointCloud(**_read_arrays(points, folder, POINT_ARRAYS), spacing=_number(points["spacing"])),
        scene_from_world=None if scene_from_world is None else np.array(scene_from_world, np.float64),
    )


def _read_view(view: dict[str, Any], folder: Path) -> View:
    lens, report, photo_from_grid = view["lens"], view["report"], view["photo_from_grid"]
    original = _resolve(view["original"], folder)
    return View(
        name=_text(view["name"]),
        identity=_text(view["identity"]),
        original=original,
        photo=original if view["photo"] == view["original"] else _resolve(view["photo"], folder),
        width=int(view["width"]),
        height=int(view["height"]),
        intrinsics=np.array(view["intrinsics"], np.float64),
        camera_from_world=np.array(view["camera_from_world"], np.float64),
        photo_from_grid=None if photo_from_grid is None else np.array(photo_from_grid, np.float64),
        lens=lens
        and Lens(
            _text(lens["model"]),
            tuple(_number(value) for value in lens["parameters"]),
            _number(lens["corner_displacement"]),
        ),
        report=SolveReport(
            focal_source=_text(report["focal_source"]),
            focal_prior=None if report["focal_prior"] is None else _number(report["focal_prior"]),
            focal_uncertain=bool(report["focal_uncertain"]),
            pixel_aspect=_number(report["pixel_aspect"]),
            reprojection_error=None if report["reprojection_error"] is None else _number(report["reprojection_error"]),
            observations=int(report["observations"]),
        ),
        **_read_arrays(view, folder, VIEW_ARRAYS),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FormatError(f"The capture's description holds {str(value)[:40]!r} where a text should be.")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FormatError(f"The capture's description holds {str(value)[:40]!r} where a number should be.")
    return float(value)


def _read_arrays(record: dict[str, Any], folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    arrays = {}
    for name in names:
        if name in record["arrays"]:
            file = _inside(_text(record["arrays"][name]), folder)
            try:
                arrays[name] = np.load(file, allow_pickle=False, mmap_mode=None)
            except (OSError, ValueError, EOFError, MemoryError) as error:
                raise FormatError(
                    f"{file} is missing or damaged; run the reconstruction again.", repr(error)
                ) from error
            if not isinstance(arrays[name], np.ndarray):
                raise FormatError(f"{file} is not an array.")
    return arrays


def _inside(name: str, folder: Path) -> Path:
    """A file of the capture itself. Refuses names, and links, that lead out of the folder."""
    pure = PurePosixPath(name)
    path = folder / pure
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise FormatError(f"The capture in {folder} names the file {name!r} outside its own folder and is refused.")
    return path


def _resolve(reference: dict[str, Any], folder: Path) -> Path:
    """The file that `_reference` or `_store_photo` described: relative first, since captures move with their photos."""
    if "inside" in reference:
        return _inside(_text(reference["inside"]), folder)
    candidates: list[Path] = []
    if reference["relative"] is not None:
        candidates.append(Path(os.path.normpath(folder / _text(reference["relative"]))))
    candidates.append(Path(_text(reference["absolute"])))
    return next((path for path in candidates if path.is_file()), candidates[-1])
