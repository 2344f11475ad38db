"""A capture whose cameras and depth are true: those of the example."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.photos.read import decode, probe
from vggt_addon.reconstruction import Reconstruction, SolveReport, View

COURTYARD = Path(__file__).parents[3] / "examples" / "courtyard"
IMAGES: list[dict[str, Any]] = json.loads((COURTYARD / "cameras.json").read_text())["images"]
GRID = 300  # pixels: long side of the depth grids

Float = NDArray[np.float64]


def true_view(number: int) -> View:
    """Photo `number`, 1 to 10, with the camera and depth that it was rendered with."""
    image = IMAGES[number - 1]
    path = COURTYARD / image["name"]
    photo = probe(path)
    intrinsics = np.array(image["K"], np.float64)
    intrinsics[:2, 2] += 0.5
    name, _, key = image["depth"].partition("#")
    with np.load(COURTYARD / name) as arrays:
        stored = arrays[key]
    height, width = (side * GRID // photo.long_side for side in (photo.height, photo.width))
    rows = ((np.arange(height) + 0.5) * stored.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * stored.shape[1] / width).astype(int)
    depth = (stored[rows][:, columns] / 1000).astype(np.float32)
    return View(
        name=path.name,
        identity=photo.sha256,
        original=path,
        photo=path,
        width=photo.width,
        height=photo.height,
        intrinsics=intrinsics,
        camera_from_world=np.array(image["cam_from_world"], np.float64),
        photo_from_grid=np.diag([photo.width / width, photo.height / height, 1.0]),
        depth=depth,
        confidence=(depth > 0).astype(np.float32),
        color=np.asarray(cv2.resize(decode(photo), (width, height), interpolation=cv2.INTER_AREA), np.uint8),
        report=SolveReport("solved", photo.focal_prior.pixels if photo.focal_prior else None),
    )


@pytest.fixture(scope="session")
def yard() -> Callable[..., Reconstruction]:
    """yard(1, 2, 3): the capture of these photos; with changes to all views by keyword."""

    def of(*numbers: int, **changes: Any) -> Reconstruction:
        views = [dataclasses.replace(true_view(number), **changes) for number in numbers]
        return Reconstruction(views=tuple(views), engine="truth", scene_from_world=np.eye(4))

    return of


@pytest.fixture(scope="session")
def truth() -> Callable[[int], View]:
    """See `true_view`."""
    return true_view


@pytest.fixture(scope="session")
def yard_photo() -> Callable[[int], Path]:
    """The file of a photo, 1 to 10."""
    return lambda number: COURTYARD / IMAGES[number - 1]["name"]
