"""What is given spoilt files: the photo loader, the reader of masks and `Reconstruction.load`.

Each tells whether the file was accepted.

This module imports Pillow and numpy beyond the standard library.
"""

import copy
import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.errors import FormatError, PhotoError
from vggt_addon.photos.masks import mask, with_mask
from vggt_addon.photos.read import decode, opacity, probe
from vggt_addon.reconstruction import LeftOut, Lens, Matches, PointCloud, Reconstruction, SolveReport, View

from .mutations import spoilt
from .photo_seeds import photo_seeds

Target = Callable[[random.Random], bool]
_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 2**31, 10**400, 1.5, 1e308, -1e-300, "", "x", "../x", "/etc/passwd")
_VALUES += ("\0", "a" * 5000, [], [[]], [[[]]], [1, 2, 3], {}, {"inside": "../x"}, {"relative": "..", "absolute": "/"})


def photos(folder: Path) -> Target:
    """Probed, decoded whole and small, and asked for its opacity; what is accepted has the size that was promised."""
    seeds = photo_seeds()
    file = folder / "photo"

    def take(chance: random.Random) -> bool:
        file.write_bytes(spoilt(seeds, chance))
        try:
            photo = probe(file)
            pixels = decode(photo)
            small = decode(photo, at_least=16, to_the_pixel=False)
            opaque = opacity(photo)
        except PhotoError as error:
            _check_sentence(error.sentence)
            return False
        assert pixels.dtype == np.uint8 and pixels.shape == (photo.height, photo.width, 3)
        assert small.ndim == 3 and (opaque is None or opaque.shape == pixels.shape[:2])
        assert photo.focal_prior is None or 0 < photo.focal_prior.pixels < 1e6
        return True

    return take


def masks(folder: Path) -> Target:
    """A mask of whatever kind beside a good photo, which is used whole where that does not fit; and its pixels."""
    seeds = photo_seeds()
    good = folder / "photo.png"
    Image.new("RGB", (54, 36), (200, 100, 50)).save(good)
    photo = probe(good)
    file = good.with_suffix(".mask.png")

    def take(chance: random.Random) -> bool:
        file.write_bytes(spoilt(seeds, chance))
        masked = with_mask(photo)
        if masked.mask is None:
            _check_sentence(masked.remark)
            return False
        try:
            used = mask(masked)
        except PhotoError as error:
            _check_sentence(error.sentence)
            return False
        assert used is None or (used.dtype == np.uint8 and used.shape == (36, 54))
        return True

    return take


def captures(folder: Path) -> Target:
    """One file of a capture is spoilt: its description by bytes or by values, or an array."""
    capture = _capture(folder / "photos").save(folder / "capture")
    description = capture / "reconstruction.json"
    arrays = sorted((capture / "arrays").iterdir())
    whole = {file: file.read_bytes() for file in (description, *arrays)}

    def take(chance: random.Random) -> bool:
        file = chance.choice([description, description, *arrays])
        if file == description and chance.random() < 0.6:
            content = _other_values(whole[file], chance)
        else:
            content = spoilt(
                [whole[file], *(whole[other] for other in arrays[:3])][: 1 + 3 * (file != description)], chance
            )
        file.write_bytes(content)
        try:
            loaded = Reconstruction.load(capture)
        except FormatError as error:
            _check_sentence(error.sentence)
            return False
        finally:
            file.write_bytes(whole[file])
        for view in loaded.views:
            assert np.isfinite(view.camera_from_world).all() and np.isfinite(view.intrinsics).all()
            assert view.depth is None or view.depth.min() >= 0
            assert capture in view.photo.parents or view.photo == view.original
        return True

    return take


TARGETS = {"photos": photos, "masks": masks, "captures": captures}


def _check_sentence(sentence: str) -> None:
    assert sentence.strip() and len(sentence) < 2000, sentence[:200]
    assert "Traceback" not in sentence


def _other_values(content: bytes, chance: random.Random) -> bytes:
    """The description with one to three of its entries replaced by values that do not belong there, or removed."""
    document = json.loads(content)
    for _ in range(chance.choice((1, 1, 2, 3))):
        entry: Any = document
        while True:
            keys = list(entry) if isinstance(entry, dict) else list(range(len(entry)))
            if not keys:
                break
            key = chance.choice(keys)
            if isinstance(entry[key], dict | list) and chance.random() < 0.8:
                entry = entry[key]
                continue
            if chance.random() < 0.1:
                del entry[key]
            else:
                entry[key] = copy.deepcopy(chance.choice(_VALUES))  # the next change may be inside it
            break
    return json.dumps(document).encode()


def _capture(folder: Path) -> Reconstruction:
    """Two views with every array, points, and everything else that can be saved."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    views = tuple(_view(f"{name}.jpg", folder, rng) for name in "ab")
    points = PointCloud(
        rng.normal(size=(9, 3)),
        rng.integers(0, 256, (9, 3), np.uint8),
        rng.uniform(0, 1, 9).astype(np.float32),
        rng.integers(0, 2, 9).astype(np.int32),
        0.1,
    )
    matches = Matches(
        np.array([[0, 1]] * 5, np.int32),
        rng.uniform(0, 50, (5, 2, 2)).astype(np.float32),
        rng.uniform(0, 1, 5).astype(np.float32),
    )
    return Reconstruction(
        views, "sfm", weights={"name": "w"}, settings={"size": 1}, left_out=(LeftOut("c.jpg", "Blurred."),),
        warnings=("Two photos.",), report={"seconds": 1.5}, points=points, matches=matches,
        scene_from_world=np.diag([2.0, 2, 2, 1]),
    )  # fmt: skip


def _view(name: str, folder: Path, rng: np.random.Generator) -> View:
    (folder / name).write_bytes(b"picture")
    (folder / f"original_{name}").write_bytes(b"original")
    depth: NDArray[np.float32] = rng.uniform(1, 9, (5, 7)).astype(np.float32)
    view = View(
        name, name, folder / f"original_{name}", folder / name, 70, 50, np.diag([60.0, 60, 1]), np.eye(4),
        np.diag([10.0, 10, 1]), depth, rng.uniform(0, 1, (5, 7)).astype(np.float32),
    )  # fmt: skip
    return dataclasses.replace(
        view,
        color=rng.integers(0, 256, (5, 7, 3), np.uint8),
        relief_depth=depth,
        depth_edge=rng.uniform(size=(4, 6)) > 0.5,
        lens=Lens("SIMPLE_RADIAL", (60.0, 35.0, 25.0, -0.01), 1.5),
        report=SolveReport("solved", 60.5, True, 1.0, 0.4, 12),
    )
