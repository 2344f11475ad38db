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
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_files import read_array
from .errors import FormatError, OutputExistsError, UserError
from .reconstruction import Json, LeftOut, Lens, Matches, PointCloud, Reconstruction, SolveReport, View
from .replacing import replaced_folder

SCHEMA = 2  # 1 had neither masks nor matches; what it holds means the same now
FILE_NAME = "reconstruction.json"
VIEW_ARRAYS = ("depth", "confidence", "color", "relief_depth", "depth_edge", "mask")
POINT_ARRAYS = ("position", "color", "confidence", "view")
MATCH_ARRAYS = ("view", "pixel", "confidence")
OUR_ENTRIES = (FILE_NAME, "arrays", "photos")
LARGEST_DESCRIPTION = 64 << 20  # bytes: a thousand views take 4 MB
LONGEST_SIDE = 1_000_000  # pixels


def save(reconstruction: Reconstruction, folder: Path, *, overwrite: bool = False) -> Path:
    """Write `reconstruction` to `folder` as one step and return the folder's absolute path.

    Raises OutputExistsError where `folder` exists (unless `overwrite`, which replaces only a folder that holds a
    Reconstruction), UserError where the disk refuses.
    """
    folder = folder.absolute()
    try:
        if folder.exists():
            if not overwrite:
                raise OutputExistsError(f"{folder} already exists. Choose another name, or overwrite it with --force.")
            if not is_replaceable(folder):
                raise OutputExistsError(f"{folder} holds something other than a capture and is left as it is.")
        with _renamed_when_complete(folder, overwrite) as temporary:
            _write(reconstruction, temporary, folder)
    except OSError as error:
        raise UserError(
            f"The capture could not be written to {folder}: {error.strerror or error}.", repr(error)
        ) from error
    return folder


def is_replaceable(folder: Path) -> bool:
    """Whether `save` may overwrite `folder`: empty, or a capture with nothing of the artist's own beside it."""
    if not folder.is_dir():
        return False
    entries = [entry.name for entry in folder.iterdir() if not _is_dropping(entry.name)]
    return not entries or (FILE_NAME in entries and all(name in OUR_ENTRIES for name in entries))


def _is_dropping(name: str) -> bool:
    """A file that the operating system's file browser leaves behind."""
    return name in (".DS_Store", "Thumbs.db", "desktop.ini", ".directory")


@contextmanager
def _renamed_when_complete(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name on success and vanishes on failure."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp's 0o700 would lock out the artist's colleagues
        yield temporary
        if overwrite and folder.exists():
            with replaced_folder(temporary, folder):
                return
        else:
            os.replace(temporary, folder)  # fails where another run has made a capture of that name meanwhile
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
    points, matches = reconstruction.points, reconstruction.matches
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
        "matches": matches
        and {"arrays": _store_arrays({name: getattr(matches, name) for name in MATCH_ARRAYS}, folder, "matches")},
        "views": views,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    # A file name that is no valid Unicode (possible on Linux) becomes JSON's own escape of it.
    (folder / FILE_NAME).write_bytes(text.encode("utf-8", "backslashreplace"))


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
    while _on_any_disk(name) in taken:
        number += 1
        name = f"{view.photo.stem}_{number}{view.photo.suffix}"
    taken.add(_on_any_disk(name))
    if not view.photo.is_file():
        raise UserError(f"The capture cannot be saved: its picture {view.photo} is gone.")
    (folder / "photos").mkdir(exist_ok=True)
    shutil.copyfile(view.photo, folder / "photos" / name)
    return {"inside": f"photos/{name}"}


def _on_any_disk(name: str) -> str:
    """The same text for names that Windows or macOS takes for one file: case and composed accents do not count."""
    return unicodedata.normalize("NFC", name.casefold())


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
        if file.exists() and not file.is_file():
            raise OSError("not a file")
        if file.stat().st_size > LARGEST_DESCRIPTION:
            raise OSError("larger than any description")
        document = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise FormatError(f"{folder} is not a capture: it holds no {FILE_NAME}.", repr(error)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{file} cannot be read: it is damaged or not a capture.", repr(error)) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if type(schema) is not int or schema < 1:
        raise FormatError(f"{file} is not a capture's description.")
    if schema > SCHEMA:
        raise FormatError(f"{file} was written by a newer version of this extension; update it to open the capture.")
    try:
        return _read(document, folder)
    except FormatError:
        raise
    except KeyError as error:
        raise FormatError(f"{file} is damaged: {_cut(error)} is missing.", repr(error)) from error
    except (TypeError, ValueError, AttributeError, OverflowError, OSError, RuntimeError) as error:
        # RuntimeError: a chain of links without an end, or nesting without one
        raise FormatError(f"{file} is damaged: {_cut(error)}.", repr(error)) from error


def _cut(error: Exception) -> str:
    """What an error says, without the megabytes that the file may have put into it."""
    return str(error)[:200]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _read(document: dict[str, Any], folder: Path) -> Reconstruction:
    points, weights, scene_from_world = document["points"], document["weights"], document["scene_from_world"]
    return Reconstruction(
        views=tuple(_read_view(view, folder) for view in _list_of(document["views"])),
        engine=_text(document["engine"]),
        capture_id=_text(document["capture_id"]),
        weights=None if weights is None else {key: _text(value) for key, value in _table(weights).items()},
        settings=_table(document["settings"]),
        reference=_integer(document["reference"]),
        left_out=tuple(
            LeftOut(_text(photo["name"]), _text(photo["reason"])) for photo in _list_of(document["left_out"])
        ),
        warnings=tuple(_text(warning) for warning in _list_of(document["warnings"])),
        report=_table(document["report"]),
        points=None
        if points is None
        else PointCloud(**_read_arrays(points, folder, POINT_ARRAYS), spacing=_number(points["spacing"])),
        matches=_read_matches(document.get("matches"), folder),
        scene_from_world=_matrix(scene_from_world),
    )


def _read_matches(matches: dict[str, Any] | None, folder: Path) -> Matches | None:
    return None if matches is None else Matches(**_read_arrays(matches, folder, MATCH_ARRAYS))


def _read_view(view: dict[str, Any], folder: Path) -> View:
    original = _resolve(view["original"], folder)
    return View(
        name=_text(view["name"]),
        identity=_text(view["identity"]),
        original=original,
        # Nothing else: `save` would copy whatever private file it names into a capture that is passed on.
        photo=original if view["photo"] == view["original"] else _inside(_text(view["photo"]["inside"]), folder),
        width=_side(view["width"]),
        height=_side(view["height"]),
        intrinsics=np.array(view["intrinsics"], np.float64),
        camera_from_world=np.array(view["camera_from_world"], np.float64),
        photo_from_grid=_matrix(view["photo_from_grid"]),
        lens=_read_lens(view["lens"]),
        report=_read_report(view["report"]),
        **_read_arrays(view, folder, VIEW_ARRAYS),
    )


def _read_lens(lens: dict[str, Any] | None) -> Lens | None:
    if lens is None:
        return None
    parameters = tuple(_number(value) for value in _list_of(lens["parameters"]))
    return Lens(_text(lens["model"]), parameters, _number(lens["corner_displacement"]))


def _read_report(report: dict[str, Any]) -> SolveReport:
    return SolveReport(
        focal_source=_text(report["focal_source"]),
        focal_prior=None if report["focal_prior"] is None else _number(report["focal_prior"]),
        focal_uncertain=_truth(report["focal_uncertain"]),
        pixel_aspect=_number(report["pixel_aspect"]),
        reprojection_error=None if report["reprojection_error"] is None else _number(report["reprojection_error"]),
        observations=_integer(report["observations"]),
    )


def _matrix(value: Any) -> NDArray[np.float64] | None:
    return None if value is None else np.array(value, np.float64)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(value, "a number")
    return float(value)


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) >= 2**31:
        raise _wrong(value, "a whole number")
    return value


def _side(value: Any) -> int:
    if not 1 <= _integer(value) <= LONGEST_SIDE:
        raise _wrong(value, "the side of a photo")
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, "a table")
    return value


def _list_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(value, "a list")
    return value


def _wrong(value: Any, wanted: str) -> ValueError:
    return ValueError(f"it holds {str(value)[:40]!r} where {wanted} should be")


def _read_arrays(record: dict[str, Any], folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    arrays = {}
    for name, file_name in _table(record["arrays"]).items():
        if name in names:
            file = _inside(_text(file_name), folder)
            try:
                arrays[name] = read_array(file)
            except (OSError, ValueError, OverflowError, MemoryError) as error:
                raise FormatError(
                    f"{str(file)[:300]} is missing or damaged; run the reconstruction again.", repr(error)
                ) from error
    return arrays


def _inside(name: str, folder: Path) -> Path:
    """A file of the capture itself. Refuses names, and links, that lead out of the folder."""
    pure = PurePosixPath(name)
    if not pure.parts or any(len(os.fsencode(part)) > 255 for part in pure.parts):  # on which asking for it would fail
        raise ValueError("it names a file as no file can be named")
    path = folder / pure
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise FormatError(
            f"The capture in {folder} names the file {name[:200]!r} outside its own folder and is refused."
        )
    return path


def _resolve(reference: dict[str, Any], folder: Path) -> Path:
    """The file that `_reference` described: relative first, since captures move with their photos."""
    candidates: list[Path] = []
    if reference["relative"] is not None:
        candidates.append(Path(os.path.normpath(folder / _text(reference["relative"]))))
    candidates.append(Path(_text(reference["absolute"])))
    for path in candidates:
        if "\0" in str(path):
            raise ValueError("it names a file as no file can be named")
        if path.exists() and not path.is_file():  # Blender would read a pipe or a device for ever
            raise FormatError(
                f"The capture in {folder} names {str(path)[:200]} as a photo, which is no file, and is refused."
            )
    return next((path for path in candidates if path.is_file()), candidates[-1])
