"""The one thing that engines and scene exchange: what was solved from a set of photos.

Conventions, stated here once and converted only at the borders (an engine's last step; the first step of `scene`):

- Camera axes are OpenCV's: x right, y down, z forward. `camera_from_world` is rigid. The world is the engine's own:
  its unit and its orientation mean nothing until `scene_from_world` is set.
- Pixels are those of the upright original photo, x right, y down; the centre of the top left pixel is (0.5, 0.5).
- The depth grid of a view is a coarser raster over the same photo; `photo_from_grid` maps its pixels (centres at +0.5)
  to photo pixels. No network's or engine's working size is seen outside.

All records are frozen and their arrays read-only. This module imports nothing beyond the standard library and numpy.
"""

import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGEST = 1e15  # of the numbers of a scene, in its own units: the square of none is beyond float32
Json = Any  # what json.dumps takes: dict, list, str, int, float, bool, None


@dataclass(frozen=True)
class Lens:
    """The lens as it was solved, before its distortion was taken out of the picture."""

    model: str  # COLMAP's name of the camera model, e.g. "SIMPLE_RADIAL"
    parameters: tuple[float, ...]  # in COLMAP's order for that model, upright original photo pixels
    corner_displacement: float  # pixels: how far the distortion moves the photo's farthest corner


@dataclass(frozen=True)
class SolveReport:
    """How a view's camera was found and how far to trust it."""

    focal_source: str = "unknown"  # "solved": free in the adjustment; "held": a prior was kept; "network"; "given"
    focal_prior: float | None = None  # pixels, from EXIF; None where the file says nothing
    focal_uncertain: bool = False  # True where the photos hardly constrain it (two views, forward motion)
    pixel_aspect: float = 1.0  # fx / fy as solved, before square pixels were imposed
    reprojection_error: float | None = None  # pixels of the photo, mean over the view's observations
    observations: int = 0  # how many points the view shares with others


@dataclass(frozen=True)
class View:
    """One photo that was placed: its camera, its picture, and what was measured along its pixels."""

    name: str  # file name of the original photo, unique in the Reconstruction
    identity: str  # sha256 of the original file, hex; for a video frame followed by "@" and its time in seconds
    original: Path  # the file that the artist gave
    photo: Path  # the picture to show: upright, 8-bit sRGB, this camera's frame; equal to `original` where that is so
    width: int  # pixels, upright
    height: int  # pixels, upright
    intrinsics: NDArray[np.float64]  # (3, 3) pixels of the upright original photo, centres at +0.5
    camera_from_world: NDArray[np.float64]  # (4, 4) rigid, OpenCV camera axes
    photo_from_grid: NDArray[np.float64] | None = None  # (3, 3) depth-grid pixels to photo pixels, centres at +0.5
    depth: NDArray[np.float32] | None = None  # (h, w) world units along the optical axis, as measured; 0 unknown
    confidence: NDArray[np.float32] | None = None  # (h, w) in [0, 1]; 0 where depth is unknown
    color: NDArray[np.uint8] | None = None  # (h, w, 3) sRGB, the photo at the grid's pixels
    relief_depth: NDArray[np.float32] | None = None  # (h, w) world units; depth with its holes filled, > 0 everywhere
    depth_edge: NDArray[np.bool_] | None = None  # (h-1, w-1) True: the cell between 4 grid pixels spans a silhouette
    mask: NDArray[np.bool_] | None = None  # (h, w) False: kept out of points and relief; None: nothing is
    lens: Lens | None = None  # None where the engine estimates no distortion
    report: SolveReport = SolveReport()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"{self.name}: a photo of {self.width} x {self.height} pixels")
        _set_array(self, "intrinsics", np.float64, (3, 3))
        _set_array(self, "camera_from_world", np.float64, (4, 4))
        rotation = self.camera_from_world[:3, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-5 or np.linalg.det(rotation) < 0:
            raise ValueError(f"{self.name}: camera_from_world is not rigid")
        if not (_ends_in_one(self.camera_from_world) and _ends_in_one(self.intrinsics)):
            raise ValueError(f"{self.name}: the last row of a camera's matrix is not 0 0 1")
        if self.intrinsics[0, 0] <= 0 or self.intrinsics[1, 1] <= 0:
            raise ValueError(f"{self.name}: the focal length is not positive")
        self._check_grid()

    @property
    def clip_time(self) -> float | None:
        """Seconds into the clip `original`, by its own stamps; None for a photo. See Photo.identity."""
        _, _, time = self.identity.partition("@")
        try:
            return float(time) if time else None
        except ValueError:  # whoever wrote the capture
            return None

    def _check_grid(self) -> None:
        """The arrays on the depth grid: there only together, of one shape, each within its range."""
        if self.depth is None:
            if any(
                getattr(self, name) is not None
                for name in ("confidence", "color", "relief_depth", "depth_edge", "mask")
            ):
                raise ValueError(f"{self.name}: an array on the depth grid without depth")
            if self.photo_from_grid is not None:
                _set_array(self, "photo_from_grid", np.float64, (3, 3))
            return
        _set_array(self, "depth", np.float32, (None, None))
        if not self.depth.size or self.depth.min() < 0:
            raise ValueError(f"{self.name}: depth is empty or negative")
        height, width = self.depth.shape
        for name, dtype, shape in (
            ("photo_from_grid", np.float64, (3, 3)),
            ("confidence", np.float32, (height, width)),
            ("color", np.uint8, (height, width, 3)),
            ("relief_depth", np.float32, (height, width)),
            ("depth_edge", np.bool_, (height - 1, width - 1)),
            ("mask", np.bool_, (height, width)),
        ):
            if getattr(self, name) is not None:
                _set_array(self, name, dtype, shape)
        if self.photo_from_grid is None or self.confidence is None:
            raise ValueError(f"{self.name}: depth needs photo_from_grid and confidence beside it")
        if not _ends_in_one(self.photo_from_grid) or not np.linalg.det(self.photo_from_grid) > 0:
            raise ValueError(f"{self.name}: photo_from_grid flattens or mirrors the grid")
        if self.confidence.min() < 0 or self.confidence.max() > 1:
            raise ValueError(f"{self.name}: confidence leaves [0, 1]")
        if self.relief_depth is not None and not self.relief_depth.min() > 0:
            raise ValueError(f"{self.name}: relief_depth has holes")


POINTS_GIVEN = "points_given"
"""In a Reconstruction's report: how many points its engine handed over. Where it is there, postprocessing thins these
instead of gathering points from depth."""


@dataclass(frozen=True)
class PointCloud:
    """Coloured points, gathered from the depth of all views, or an engine's own (see POINTS_GIVEN), and thinned."""

    position: NDArray[np.float64]  # (n, 3) world
    color: NDArray[np.uint8]  # (n, 3) sRGB
    confidence: NDArray[np.float32]  # (n,) in [0, 1]
    view: NDArray[np.int32]  # (n,) index into Reconstruction.views: the view that measured the point best
    spacing: float  # world units: about the distance between neighbouring points, from which a display radius follows

    def __post_init__(self) -> None:
        _set_array(self, "position", np.float64, (None, 3))
        count = len(self.position)
        _set_array(self, "color", np.uint8, (count, 3))
        _set_array(self, "confidence", np.float32, (count,))
        _set_array(self, "view", np.int32, (count,))
        if not 0 <= self.spacing < LARGEST:
            raise ValueError("the points' spacing is not a distance")


@dataclass(frozen=True)
class Matches:
    """Places in two photos that show the same point, of all pairs of photos that were compared, one after the other."""

    view: NDArray[np.int32]  # (m, 2) indices into Reconstruction.views: the two photos, the lower index first
    pixel: NDArray[np.float32]  # (m, 2, 2) where in the first and in the second: x, y of the upright original photos
    confidence: NDArray[np.float32]  # (m,) in [0, 1]

    def __post_init__(self) -> None:
        _set_array(self, "view", np.int32, (None, 2))
        count = len(self.view)
        _set_array(self, "pixel", np.float32, (count, 2, 2))
        _set_array(self, "confidence", np.float32, (count,))
        if (self.view[:, 0] >= self.view[:, 1]).any():
            raise ValueError("a match does not name two photos in their order")
        if count and (self.confidence.min() < 0 or self.confidence.max() > 1):
            raise ValueError("the confidence of a match leaves [0, 1]")


@dataclass(frozen=True)
class LeftOut:
    """A photo that was given but not placed."""

    name: str  # file name
    reason: str  # one sentence for the artist


@dataclass(frozen=True)
class Reconstruction:
    """A capture: the views that were placed, the points they see, and how the world stands in the scene."""

    views: tuple[View, ...]
    engine: str  # name in the registry of engines
    capture_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    weights: Mapping[str, str] | None = None  # name, sha256 and licence of the weights used; None for classical engines
    settings: Mapping[str, Json] = field(default_factory=dict)  # what the run was asked to do
    reference: int = 0  # index of the view that a new scene starts at
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()  # sentences for the artist
    report: Mapping[str, Json] = field(default_factory=dict)  # figures of the run, for the result box and the log
    points: PointCloud | None = None
    matches: Matches | None = None  # None: the engine was not asked for them, or knows of none
    scene_from_world: NDArray[np.float64] | None = None  # (4, 4) similarity to a z-up scene, scene units; None unset

    def __post_init__(self) -> None:
        if len({view.name for view in self.views}) != len(self.views):
            raise ValueError("two views have the same name")
        if self.views and not 0 <= self.reference < len(self.views):
            raise ValueError("the reference view does not exist")
        if self.points is not None and len(self.points.view):
            first, last = int(self.points.view.min()), int(self.points.view.max())
            if first < 0 or last >= len(self.views):
                raise ValueError("a point names a view that does not exist")
        self._check_matches()
        if self.scene_from_world is not None:
            _set_array(self, "scene_from_world", np.float64, (4, 4))
            if not (_ends_in_one(self.scene_from_world) and _scales_evenly(self.scene_from_world[:3, :3])):
                raise ValueError("scene_from_world is not a similarity")

    def _check_matches(self) -> None:
        """Each lies within both of its photos."""
        if self.matches is None or not len(self.matches.view):
            return
        view, pixel = self.matches.view, self.matches.pixel
        if view.min() < 0 or view.max() >= len(self.views):
            raise ValueError("a match names a view that does not exist")
        sizes = np.array([(view.width, view.height) for view in self.views], np.float32)
        if (pixel < 0).any() or (pixel > sizes[view]).any():
            raise ValueError("a match lies outside of its photo")

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed (`dataclasses.replace`)."""
        return dataclasses.replace(self, **changes)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write to `folder` (made under a temporary name, then renamed) and return it. See `reconstruction_files`.

        Raises OutputExistsError where the folder exists and is not to be overwritten, UserError where it cannot be
        written.
        """
        from .reconstruction_files import save

        return save(self, Path(folder), overwrite=overwrite)

    @staticmethod
    def load(folder: Path | str) -> "Reconstruction":
        """Read what `save` wrote; bit-identical. Executes nothing. Raises FormatError where it is damaged."""
        from .reconstruction_files import load

        return load(Path(folder))


def _ends_in_one(matrix: NDArray[np.float64]) -> bool:
    """Whether the last row is 0 ... 0 1, as in every affine map."""
    return bool(np.abs(matrix[-1] - np.eye(len(matrix))[-1]).max() < 1e-9)


def _scales_evenly(linear: NDArray[np.float64]) -> bool:
    """Whether a (3, 3) map is a rotation times a positive number: no shear, no mirror image."""
    scale = np.cbrt(np.linalg.det(linear))
    return bool(scale > 0 and np.abs(linear @ linear.T / scale**2 - np.eye(3)).max() < 1e-5)


def _set_array(record: object, name: str, dtype: DTypeLike, shape: tuple[int | None, ...]) -> None:
    """Replace a frozen record's field by a read-only array after checking dtype, shape and finiteness."""
    array = np.asarray(getattr(record, name))
    if array.dtype != np.dtype(dtype):
        raise ValueError(f"{name} is {array.dtype}, not {np.dtype(dtype)}")
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    if array.dtype.kind == "f" and max(array.max(initial=0), -array.min(initial=0)) > LARGEST:
        raise ValueError(f"{name} holds values beyond any scene")
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    object.__setattr__(record, name, array)
