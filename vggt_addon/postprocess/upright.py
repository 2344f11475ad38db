"""Which way is up: from the cameras, and from the ground where it is seen.

Photos arrive upright (the EXIF orientation, which is gravity as the camera felt it, has been applied to the pixels), so
a camera's x axis is nearly level, and its -y axis leans from up only by how far the photographer looked up or down.
The ground plane, where the points show one, is the better evidence: it knows no unsteady hand.
This module imports nothing beyond the standard library and numpy.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.planes import Plane, fit_plane, height_above, planes_through, spread_in_plane
from ..geometry.projection import camera_center
from ..geometry.rotations import angle_between, unit
from ..progress import Cancel, check, never

Float = NDArray[np.float64]

ROLL = np.radians(3.0)  # standard deviation of how level a photo is held
ROLL_OUTLIER = np.radians(8.0)  # beyond this a photo was tilted on purpose, or its EXIF orientation is missing
PITCH = np.radians(35.0)  # standard deviation of how far a whole set of photos looks up or down

SAMPLES = 8000  # points that the search for the ground looks at
TRIPLES = 30000  # guesses: of ground that is a tenth of the points, 30 are right by expectation
FINALISTS = 24
THICKNESS = 0.01  # of the median distance from a point to the nearest camera: what lies this near counts as ground
STRONG = 0.08  # share of the points that a ground must hold
MOST_BELOW = 0.1  # share of the points that may lie clearly under it
PEAK = 2.0  # how much denser the points must be within the thickness than just above it
FLATTEST_STRIP = 0.1  # a ground's smaller reach against its larger one: a strip says little about the tilt
LEAST_TOLERANCE, MOST_TOLERANCE = np.radians(15.0), np.radians(40.0)  # ground against the cameras' up


class CameraUp(NamedTuple):
    """The up direction that the cameras speak for."""

    direction: Float  # (3,) unit, world
    uncertainty: float  # radians, one standard deviation in the direction that is known worst


class Ground(NamedTuple):
    """A ground plane that the points show."""

    plane: Plane  # world; normal towards the cameras
    inliers: float  # share of the points that lie on it


@dataclass(frozen=True)
class Upright:
    """The up direction and where it comes from."""

    up: Float  # (3,) unit, world
    evidence: str  # "ground plane" or "cameras"
    cameras: CameraUp
    ground: Ground | None

    def figures(self) -> dict[str, object]:
        """For the report: plain numbers, angles in degrees."""
        ground = self.ground
        return {
            "up_evidence": self.evidence,
            "camera_up_uncertainty_degrees": round(float(np.degrees(self.cameras.uncertainty)), 3),
            "ground_inlier_share": None if ground is None else round(ground.inliers, 4),
            "ground_to_camera_up_degrees": (
                None
                if ground is None
                else round(float(np.degrees(angle_between(ground.plane.normal, self.cameras.direction))), 3)
            ),
        }


def find_up(cameras_from_world: Float, points: Float, seed: int = 0, cancel: Cancel = never) -> Upright:
    """The up direction of a world from its cameras (n, 4, 4), n >= 1, and its points (m, 3), m >= 0.

    A ground plane that is large, low, flat, under the cameras, and not further from the cameras' up than their own
    uncertainty allows (15 to 40 degrees) decides; else the cameras do. Deterministic for a seed.
    """
    cameras = up_from_cameras(cameras_from_world)
    tolerance = float(np.clip(3.0 * cameras.uncertainty, LEAST_TOLERANCE, MOST_TOLERANCE))
    ground = find_ground(points, camera_center(cameras_from_world), cameras.direction, tolerance, seed, cancel)
    if ground is None:
        return Upright(cameras.direction, "cameras", cameras, None)
    return Upright(ground.plane.normal, "ground plane", cameras, ground)


def up_from_cameras(cameras_from_world: Float) -> CameraUp:
    """The up direction that makes the photos (n, 4, 4) most level, robustly.

    Minimises sum_i rho(u . x_i) / ROLL^2 + (u . z)^2 / PITCH^2 over unit u, with x_i the cameras' x axes, z the mean of
    their viewing directions, rho Geman and McClure's. The second term is a single observation: how far a
    set looks down is a habit that all its photos share. It decides where all cameras look the same way (the x axes
    then say nothing about pitch) and is outweighed where they look around.
    """
    x_axes, up_axes, z_axes = (sign * cameras_from_world[:, row, :3] for row, sign in ((0, 1), (1, -1), (2, 1)))
    looking = z_axes.mean(axis=0)
    pitch = np.outer(looking, looking) / PITCH**2
    starts = (_facing(_smallest(x_axes.T @ x_axes / ROLL**2 + pitch), up_axes), _spherical_median(up_axes))
    found = [_levelled(start, x_axes, up_axes, pitch, widest) for start in starts for widest in (8.0, 2.0)]
    if np.linalg.norm(looking) > 0.8 and np.linalg.norm(up_axes.mean(axis=0)) < 0.5:
        found.append(unit(-looking))  # all look one way, yet their tops point everywhere: straight down
    up = min(found, key=lambda direction: _cost(direction, x_axes, up_axes, pitch))
    weights = _roll_weights(up, x_axes, up_axes, ROLL_OUTLIER)
    information = (x_axes * weights[:, None]).T @ x_axes / ROLL**2 + pitch
    # The length of u is fixed and so not uncertain; a quarter turn is as unknown as a direction gets.
    least = float(np.linalg.eigvalsh(information + 1e6 * np.outer(up, up))[0])
    return CameraUp(up, max(least, (np.pi / 2) ** -2) ** -0.5)


def _smallest(scatter: Float) -> Float:
    return np.asarray(np.linalg.eigh(scatter)[1][:, 0])


def _facing(direction: Float, up_axes: Float) -> Float:
    """`direction` or its opposite, whichever more photos' tops point to."""
    return direction if (up_axes @ direction).sum() >= 0 else -direction


def _spherical_median(directions: Float) -> Float:
    """The direction with the least sum of distances to unit vectors (n, 3): Weiszfeld's iteration."""
    median = directions.mean(axis=0)
    for _ in range(30):
        distance = np.maximum(np.linalg.norm(directions - median, axis=1), 1e-6)
        median = (directions / distance[:, None]).sum(axis=0) / (1.0 / distance).sum()
    return unit(median) if np.linalg.norm(median) > 1e-9 else directions[0]


def _roll_weights(up: Float, x_axes: Float, up_axes: Float, scale: float) -> Float:
    """Geman and McClure's weights of the photos (n,): 1 for a level one, towards 0 for a tilted, 0 upside down."""
    roll = x_axes @ up
    return np.where(up_axes @ up < -0.2, 0.0, (1.0 + (roll / scale) ** 2) ** -2)


def _cost(up: Float, x_axes: Float, up_axes: Float, pitch: Float) -> float:
    roll = x_axes @ up
    costs = roll**2 / (1.0 + (roll / ROLL_OUTLIER) ** 2)
    costs = np.where(up_axes @ up < -0.2, ROLL_OUTLIER**2, costs)
    return float(costs.sum() / ROLL**2 + up @ pitch @ up)


def _levelled(up: Float, x_axes: Float, up_axes: Float, pitch: Float, widest: float) -> Float:
    """Iteratively reweighted least squares from `up`.

    The scale falls from `widest` times the final one: from far, so that a bad start is not stuck, or from near, so
    that a good one is not dragged away by photos on their side.
    """
    for scale in [*np.geomspace(widest * ROLL_OUTLIER, ROLL_OUTLIER, 8), *[ROLL_OUTLIER] * 8]:
        weights = _roll_weights(up, x_axes, up_axes, scale)
        if not weights.any():
            return up
        up = _facing(_smallest((x_axes * weights[:, None]).T @ x_axes / ROLL**2 + pitch), up_axes * weights[:, None])
    return up


def find_ground(
    points: Float, centers: Float, up: Float, tolerance: float, seed: int = 0, cancel: Cancel = never
) -> Ground | None:
    """The ground plane among points (m, 3) under cameras at (n, 3), its normal within `tolerance` radians of `up`.

    RANSAC (Fischler and Bolles, 1981), the score favouring planes that hold much and have little below them. None
    where no plane is strong: see the constants of this module.
    """
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 100:
        return None
    rng = np.random.default_rng(seed)
    middle = np.median(points, axis=0)
    sample = points[np.sort(rng.permutation(len(points))[:SAMPLES])] - middle
    centers = centers - middle
    thickness = THICKNESS * float(np.median(_distance_to_nearest(sample, centers)))
    if not thickness > 0:
        return None
    planes = _guesses(sample, centers, up, tolerance, thickness, rng, cancel)
    planes = [_settled(plane, sample, thickness) for plane in planes]
    planes = [plane for plane in planes if _angle(plane, up) <= tolerance and _under(plane, centers, thickness)]
    if not planes:
        return None
    best = max(planes, key=lambda plane: _score(height_above(plane, sample)[None], thickness)[0])
    ground = _judged(best, sample, thickness)
    if ground is None:
        return None
    offset = best.offset + float(best.normal @ middle)
    return ground._replace(plane=Plane(best.normal, offset))


def _distance_to_nearest(points: Float, centers: Float) -> Float:
    nearest = np.full(len(points), np.inf)
    for center in centers:
        nearest = np.minimum(nearest, np.linalg.norm(points - center, axis=1))
    return nearest


def _angle(plane: Plane, up: Float) -> float:
    return angle_between(plane.normal, up)


def _under(plane: Plane, centers: Float, thickness: float) -> bool:
    """Whether at least nine in ten cameras stand above the plane."""
    return bool((height_above(plane, centers) > thickness).mean() >= 0.9)


def _score(heights: Float, thickness: float) -> Float:
    """How much a plane looks like ground: heights (k, m) of the points above k planes to (k,)."""
    on_it = np.abs(heights) < thickness
    below = heights < -3.0 * thickness
    return np.asarray(on_it.mean(axis=1) - 2.0 * below.mean(axis=1))


def _guesses(
    sample: Float,
    centers: Float,
    up: Float,
    tolerance: float,
    thickness: float,
    rng: np.random.Generator,
    cancel: Cancel,
) -> list[Plane]:
    """The best FINALISTS of TRIPLES planes through three random points each, judged on a part of the sample."""
    normals, offsets = planes_through(sample[rng.integers(0, len(sample), (TRIPLES, 3))])
    sign = np.where(normals @ up < 0, -1.0, 1.0)
    normals, offsets = normals * sign[:, None], offsets * sign
    level = normals @ up >= np.cos(tolerance)  # False for NaN
    level &= ((centers @ normals.T - offsets > thickness).mean(axis=0)) >= 0.9
    normals, offsets = normals[level], offsets[level]
    part = sample[:: max(len(sample) // 1500, 1)]
    scores = [np.zeros(0)]
    for start in range(0, len(normals), 500):
        check(cancel)
        heights = normals[start : start + 500] @ part.T - offsets[start : start + 500, None]
        scores.append(_score(heights, thickness))
    best = np.argsort(-np.concatenate(scores), kind="stable")[:FINALISTS]
    return [Plane(normals[index], float(offsets[index])) for index in best]


def _settled(plane: Plane, sample: Float, thickness: float) -> Plane:
    """The plane of least squares through what lies on it, narrowing from twice the thickness to once."""
    for factor in (2.0, 1.5, 1.0, 1.0, 1.0):
        on_it = sample[np.abs(height_above(plane, sample)) < factor * thickness]
        if len(on_it) < 10:
            return plane
        fitted = fit_plane(on_it)
        sign = 1.0 if fitted.normal @ plane.normal >= 0 else -1.0
        plane = Plane(sign * fitted.normal, sign * fitted.offset)
    return plane


def _judged(plane: Plane, sample: Float, thickness: float) -> Ground | None:
    """The plane as ground, if it is large, low, flat and more than a slice through clutter."""
    heights = height_above(plane, sample)
    on_it = np.abs(heights) < thickness
    inliers, below = float(on_it.mean()), float((heights < -3.0 * thickness).mean())
    just_above = float(((heights > 2.0 * thickness) & (heights < 4.0 * thickness)).mean())
    if inliers < STRONG or below > MOST_BELOW or inliers < PEAK * just_above:
        return None
    large, small = spread_in_plane(sample[on_it])
    return Ground(plane, inliers) if small >= FLATTEST_STRIP * large else None
