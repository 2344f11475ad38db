"""A grey picture with its camera, at any size, and how its pixels move into another picture.

OpenCV's warps put pixel centres at integers. Everything in this package that handles a `Picture` uses that convention;
it is converted once, in `picture`. Imports numpy only; OpenCV is its neighbours' affair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....geometry.projection import inverse_rigid
from .filters import Map, grey, shrink
from .records import DenseView


@dataclass(frozen=True)
class Picture:
    """A photo as matching sees it."""

    grey: Map  # (h, w) in [0, 1]
    intrinsics: NDArray[np.float64]  # (3, 3) pixels of `grey`, centres at INTEGERS
    camera_from_world: NDArray[np.float64]  # (4, 4) rigid, OpenCV camera axes
    mask: NDArray[np.bool_] | None = None  # (h, w) False: what is there is no part of the scene; None: all is

    @property
    def shape(self) -> tuple[int, int]:
        return self.grey.shape[0], self.grey.shape[1]


def picture(view: DenseView, scale: float = 1.0) -> Picture:
    """Grey copy of a view's picture at `scale` of its size."""
    height, width = view.color.shape[:2]
    shape = max(round(height * scale), 1), max(round(width * scale), 1)
    brightness, mask = grey(view.color), view.mask
    if shape != (height, width):
        brightness = shrink(brightness, shape)
        mask = None if mask is None else shrink(mask.astype(np.float32), shape) >= 0.5
    intrinsics = np.diag([shape[1] / width, shape[0] / height, 1.0]) @ view.intrinsics
    intrinsics[:2, 2] -= 0.5
    return Picture(brightness, intrinsics, view.camera_from_world, mask)


def pixel_grid(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Homogeneous pixels (3, h, w) of a picture, centres at integers."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    return np.stack([columns, rows, np.ones_like(rows)])


@dataclass(frozen=True)
class Transfer:
    """Where the pixels of one picture land in another, as a function of their inverse depth.

    A pixel p at inverse depth rho (of the first camera) lies at (direction + rho * parallax) in homogeneous pixels of
    the second: K2 R K1^-1 p + rho K2 t, with R, t the second camera from the first. The third component is the
    ratio of the two depths, z2 / z1.
    """

    direction: NDArray[np.float32]  # (3, h, w)
    parallax: NDArray[np.float32]  # (3,)

    def __call__(self, inverse_depth: Map | np.float32) -> tuple[Map, Map, Map]:
        """Pixel columns, rows and depth ratio, (h, w) each; columns are far outside where behind the camera."""
        x, y, ratio = (a + b * inverse_depth for a, b in zip(self.direction, self.parallax, strict=True))
        behind = ratio <= 1e-6
        if behind.any():
            ratio[behind] = 1.0
            x[behind] = -1e6
        x /= ratio
        y /= ratio
        return x, y, ratio


def transfer(source: Picture, target: Picture) -> Transfer:
    """The transfer of all of `source`'s pixels into `target`."""
    homography, parallax = _motion(source, target)
    direction = np.tensordot(homography, pixel_grid(source.shape), axes=1)
    return Transfer(direction.astype(np.float32), parallax)


def transfer_at(source: Picture, target: Picture, x: Map, y: Map) -> Transfer:
    """The transfer into `target` of the places (x, y) of `source`, (h, w) each, pixels, between its own too."""
    homography, parallax = _motion(source, target)
    direction = [a[0] * x + a[1] * y + a[2] for a in homography.astype(np.float32)]
    return Transfer(np.stack(direction), parallax)


def _motion(source: Picture, target: Picture) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """K2 R K1^-1, (3, 3), and K2 t, (3,), of `Transfer`."""
    target_from_source = target.camera_from_world @ inverse_rigid(source.camera_from_world)
    homography = target.intrinsics @ target_from_source[:3, :3] @ np.linalg.inv(source.intrinsics)
    return homography, (target.intrinsics @ target_from_source[:3, 3]).astype(np.float32)
