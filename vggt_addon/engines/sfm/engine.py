"""The embedded default engine: cameras by pycolmap, depth by plane sweeping, both on the CPU.

Confidence: see `dense.estimate`; it grows with the photometric agreement of a pixel with its neighbours' and with the
number of views that confirm its depth.
This module imports nothing beyond the standard library and numpy; its neighbours import Pillow, OpenCV and pycolmap.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ...errors import EngineError, PhotoError
from ...geometry.raster import Raster, fit_raster
from ...photos.photo import Photo
from ...photos.strips import open_at_once, threads
from ...progress import Cancel, Progress, check, span
from ...reconstruction import LeftOut, Reconstruction, View
from ...settings import EngineSettings
from ..base import EnginePlan
from .cameras import PlacedPhoto, PlacedPhotos, solve_cameras
from .dense.estimate import DenseSettings, DenseView, DepthMap, estimate_depth
from .pictures import MadePicture, make_picture
from .plan import make_plan


class SfmEngine:
    """See `engines.base.Engine`."""

    name = "sfm"

    def plan(self, photos: Sequence[Photo], settings: EngineSettings, cancel: Cancel) -> EnginePlan:
        """See `engines.base.Engine.plan`."""
        check(cancel)
        return make_plan(photos, settings)

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        """See `engines.base.Engine.reconstruct`."""
        cameras = solve_cameras(photos, workspace / "solver", settings, span(progress, 0.0, 0.6), cancel)
        at_once = threads(settings.threads)
        cameras, pictures = _pictures(cameras, settings, workspace / "photos", span(progress, 0.6, 0.65), cancel)
        rasters = [_raster(view, settings.depth_size) for view in cameras.placed]
        depth_maps = estimate_depth(
            [
                dense_view(view, raster, picture)
                for view, raster, picture in zip(cameras.placed, rasters, pictures, strict=True)
            ],
            cameras.points,
            DenseSettings(threads=at_once),
            span(progress, 0.65, 1.0),
            cancel,
        )
        views = tuple(
            view_of(view, raster, picture, depth_map)
            for view, raster, picture, depth_map in zip(cameras.placed, rasters, pictures, depth_maps, strict=True)
        )
        return _reconstruction(cameras, views, settings)


def _raster(view: PlacedPhoto, depth_size: int) -> Raster:
    return fit_raster(view.photo.width, view.photo.height, depth_size)


def _pictures(
    cameras: PlacedPhotos, settings: EngineSettings, folder: Path, progress: Progress, cancel: Cancel
) -> tuple[PlacedPhotos, list[MadePicture]]:
    """The pictures of all placed photos; those whose file is gone by now are left out of both."""

    def make(number: int) -> MadePicture | PhotoError:
        view = cameras.placed[number]
        try:
            # A folder for each: the copies of a.png and of a.png.jpg have the same name.
            raster = _raster(view, settings.depth_size)
            return make_picture(view, raster, folder / f"{number:05d}", settings.texture_size)
        except PhotoError as error:
            return error

    placed, left_out, pictures = [], [], []
    at_once = open_at_once((view.photo for view in cameras.placed), settings.threads)
    with ThreadPoolExecutor(at_once) as pool:
        for view, made in zip(cameras.placed, pool.map(make, range(len(cameras.placed))), strict=True):
            check(cancel)
            if isinstance(made, PhotoError):
                left_out.append(LeftOut(view.photo.name, made.sentence))
            else:
                placed.append(view)
                pictures.append(made)
            progress("Preparing pictures", (len(placed) + len(left_out)) / len(cameras.placed))
    if len(placed) < 2 and left_out:
        reasons = " ".join(photo.reason for photo in left_out[:3])
        raise EngineError(f"Too few photos are left to measure depth from. {reasons}")
    return replace(cameras, placed=tuple(placed), left_out=(*cameras.left_out, *left_out)), pictures


def dense_view(view: PlacedPhoto, raster: Raster, picture: MadePicture) -> DenseView:
    """What the depth stage sees of a placed photo."""
    return DenseView(
        name=view.photo.name,
        color=picture.color,
        mask=picture.mask,
        intrinsics=np.linalg.inv(raster.photo_from_raster) @ view.intrinsics,
        camera_from_world=view.camera_from_world,
        track_ids=view.track_ids,
    )


def view_of(view: PlacedPhoto, raster: Raster, picture: MadePicture, depth_map: DepthMap) -> View:
    """A placed photo with its picture and its depth, as a Reconstruction has it."""
    photo = view.photo
    return View(
        name=photo.name,
        identity=photo.identity,
        original=photo.original,
        photo=picture.path,
        width=photo.width,
        height=photo.height,
        intrinsics=view.intrinsics,
        camera_from_world=view.camera_from_world,
        photo_from_grid=raster.photo_from_raster,
        depth=depth_map.depth,
        confidence=depth_map.confidence,
        color=picture.color,
        mask=picture.mask,
        lens=view.lens,
        report=view.report,
    )


def _reconstruction(cameras: PlacedPhotos, views: tuple[View, ...], settings: EngineSettings) -> Reconstruction:
    return Reconstruction(
        views=views,
        engine=SfmEngine.name,
        settings={"engine": SfmEngine.name, **asdict(settings)},
        left_out=cameras.left_out,
        warnings=cameras.warnings,
        report=cameras.report,
    )
