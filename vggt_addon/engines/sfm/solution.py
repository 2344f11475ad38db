"""What one attempt of the camera solver found, in pixels of the working copies, and its form on disk.

The solver's process writes it, the engine's process reads it. This module imports nothing beyond the standard library
and numpy.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PANORAMIC_CONFIGURATIONS = frozenset({"PANORAMIC", "PLANAR_OR_PANORAMIC"})


@dataclass(frozen=True)
class SolvedLens:
    """One lens of the solution."""

    folder: str  # of its working copies
    model: str  # COLMAP's name: SIMPLE_PINHOLE (f, cx, cy) or SIMPLE_RADIAL (f, cx, cy, k)
    width: int  # copy pixels
    height: int  # copy pixels
    parameters: tuple[float, ...]  # copy pixels, centres at +0.5
    prior: float | None  # copy pixels: the focal length that EXIF claims
    held: bool  # the prior was kept, not solved

    @property
    def focal(self) -> float:
        """Copy pixels."""
        return self.parameters[0]

    @property
    def distortion(self) -> float:
        """k of r' = r (1 + k r^2) in normalised coordinates; 0 for a pinhole."""
        return self.parameters[3] if self.model == "SIMPLE_RADIAL" else 0.0


@dataclass(frozen=True)
class SolvedImage:
    """One placed photo."""

    name: str  # its working copy, "folder/file"
    lens: int  # index into Solution.lenses
    camera_from_world: tuple[tuple[float, ...], ...]  # 4 x 4
    reprojection_error: float  # copy pixels, mean over its observations
    observations: int


@dataclass(frozen=True)
class MatchedPair:
    """Two photos that show the same thing."""

    first: str  # working copy
    second: str
    configuration: str  # COLMAP's name for the geometry between them
    inliers: int  # matches that agree on one geometry
    median_shift: float  # share of the long side by which matched points move: 0 for two copies of one photo


@dataclass(frozen=True)
class Solution:
    """The largest model of one attempt; without images where it found none."""

    attempt: str
    images: tuple[SolvedImage, ...] = ()
    lenses: tuple[SolvedLens, ...] = ()
    pairs: tuple[MatchedPair, ...] = ()
    other_models: tuple[tuple[str, ...], ...] = ()  # working copies of smaller models that did not join this one
    reprojection_error: float = 0.0  # copy pixels, mean over all observations
    median_triangulation_angle: float = 0.0  # degrees: the widest angle under which a point is seen, median of points
    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))  # (m, 3) world
    observation_image: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (k,) into images
    observation_point: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (k,) into points

    @property
    def only_turned(self) -> bool:
        """The camera was turned but hardly moved: a model, if any, is made up of noise."""
        placed = {image.name for image in self.images}
        pairs = [pair for pair in self.pairs if not placed or {pair.first, pair.second} <= placed]
        panoramic = bool(pairs) and all(pair.configuration in PANORAMIC_CONFIGURATIONS for pair in pairs)
        return panoramic and (not placed or self.median_triangulation_angle < 2.0)


_ARRAYS = ("points", "observation_image", "observation_point")


def write_solution(solution: Solution, folder: Path) -> None:
    """`solution.json` and one .npy per array in `folder`."""
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(solution, name), allow_pickle=False)
    small = {key: value for key, value in vars(solution).items() if key not in _ARRAYS}
    for key in ("images", "lenses", "pairs"):
        small[key] = [asdict(record) for record in small[key]]
    (folder / "solution.json").write_text(json.dumps(small), encoding="utf-8")


def read_solution(folder: Path) -> Solution:
    """What `write_solution` wrote."""
    small = json.loads((folder / "solution.json").read_text(encoding="utf-8"))
    return Solution(
        attempt=small["attempt"],
        images=tuple(
            SolvedImage(**{**image, "camera_from_world": tuple(tuple(row) for row in image["camera_from_world"])})
            for image in small["images"]
        ),
        lenses=tuple(SolvedLens(**{**lens, "parameters": tuple(lens["parameters"])}) for lens in small["lenses"]),
        pairs=tuple(MatchedPair(**pair) for pair in small["pairs"]),
        other_models=tuple(tuple(names) for names in small["other_models"]),
        reprojection_error=small["reprojection_error"],
        median_triangulation_angle=small["median_triangulation_angle"],
        **{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS},
    )
