"""From what the alignment found, in input pixels, to views in the pixels of the upright original photos.

This module imports nothing beyond the standard library and numpy; its neighbours import torch and Pillow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import EngineError, PhotoError
from ...geometry.projection import Float, inverse_rigid
from ...photos.photo import Photo
from ...progress import Cancel, Progress, check
from ...reconstruction import LeftOut, SolveReport, View
from ..shown_picture import shown_picture
from ..vggt.framing import Framing
from ..vggt.known_focal import known_focals
from ..vggt.photo_cameras import photo_depth
from .alignment import Aligned
from .inputs import LoadedPhotos

NOT_JOINED = "DUSt3R is sure of nothing that it shows and the other photos show, too."


@dataclass(frozen=True)
class Solved:
    """n photos in the network's order, and what was found of m of them."""

    photos: Sequence[Photo]  # n
    order: Sequence[int]  # n: places in the artist's list
    framings: Sequence[Framing]  # n
    aligned: Aligned
    focal: str  # as the artist asked; see vggt/known_focal.py


@dataclass(frozen=True)
class MadeViews:
    """The views in the artist's order."""

    views: tuple[View, ...]
    left_out: tuple[LeftOut, ...]
    reference: int  # index of the view whose camera is the world


def make_views(
    solved: Solved, pixels: LoadedPhotos, workspace: Path, longest: int, progress: Progress, cancel: Cancel
) -> MadeViews:
    """A view for each photo that was placed; pictures that had to be made lie in `workspace`/photos.

    Raises EngineError where no photo has depth, PhotoError where no picture can be shown, Cancelled.
    """
    aligned = solved.aligned
    placed = {picture: at for at, picture in enumerate(aligned.pictures)}
    left_out = {k: LeftOut(photo.name, NOT_JOINED) for k, photo in enumerate(solved.photos) if k not in placed}
    cameras = aligned.world_from_camera.numpy()
    views: dict[int, View] = {}
    for done, (picture, at) in enumerate(placed.items()):
        check(cancel)
        progress("Preparing pictures", done / len(placed))
        photo = solved.photos[picture]
        try:
            shown = shown_picture(photo, workspace / "photos" / f"{picture:05d}", longest)
        except PhotoError as error:
            left_out[picture] = LeftOut(photo.name, error.sentence)
            continue
        pose = inverse_rigid(cameras[at]) @ cameras[0]  # the first that was placed is the world
        views[picture] = _view(solved, pixels, picture, at, pose, shown)
    progress("Preparing pictures", 1.0)
    missing = tuple(left_out[picture] for picture in sorted(left_out, key=lambda picture: solved.order[picture]))
    if not views:
        raise PhotoError(" ".join(photo.reason for photo in missing))
    if not any(bool(view.depth.any()) for view in views.values() if view.depth is not None):
        raise EngineError("DUSt3R gave no depth for any photo: check the weights, or use --precision float32.")
    in_order = sorted(views, key=lambda picture: solved.order[picture])
    first = min(views)
    return MadeViews(tuple(views[picture] for picture in in_order), missing, in_order.index(first))


def _view(solved: Solved, pixels: LoadedPhotos, picture: int, at: int, pose: Float, shown: Path) -> View:
    photo, framing, aligned = solved.photos[picture], solved.framings[picture], solved.aligned
    size = (framing.input_height, framing.input_width)
    along, sure = (part[at].numpy().reshape(size) for part in (aligned.depth, aligned.confidence))
    depth, confidence = photo_depth(along, sure, framing, pixels.masks[picture])
    known = known_focals(solved.focal, solved.photos)
    return View(
        name=photo.name,
        identity=photo.identity,
        original=photo.original,
        photo=shown,
        width=photo.width,
        height=photo.height,
        intrinsics=_intrinsics(aligned.focals[at], framing),
        camera_from_world=pose,
        photo_from_grid=framing.photo_from_grid,
        depth=depth,
        confidence=confidence,
        color=pixels.colors[picture],
        mask=pixels.masks[picture],
        report=SolveReport(
            focal_source="given" if known and known[picture] else "network",
            focal_prior=photo.focal_prior.pixels if photo.focal_prior else None,
            pixel_aspect=float(framing.photo_from_input[0, 0] / framing.photo_from_input[1, 1]),
        ),
    )


def input_focal(photo_focal: float, framing: Framing) -> float:
    """A focal length of the photo's pixels in the input's. Undone by `_intrinsics`."""
    return photo_focal / _photo_pixels(framing)


def _intrinsics(focal: float, framing: Framing) -> Float:
    """(3, 3) with the middle of the input, in photo pixels, as the principal point."""
    middle = framing.photo_from_input @ [framing.input_width / 2, framing.input_height / 2, 1.0]
    length = focal * _photo_pixels(framing)
    return np.array([[length, 0.0, middle[0]], [0.0, length, middle[1]], [0.0, 0.0, 1.0]])


def _photo_pixels(framing: Framing) -> float:
    """Photo pixels of an input pixel: the mean of both ways, which rounding lets differ a little."""
    return float(np.sqrt(framing.photo_from_input[0, 0] * framing.photo_from_input[1, 1]))
