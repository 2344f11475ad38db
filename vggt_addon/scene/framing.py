"""Where to stand to see a whole capture at a glance.

This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

ELEVATION = np.radians(24)  # above the horizon
TURN = np.radians(32)  # to the side of where the cameras look: a three-quarter view
MARGIN = 1.06


def frame(seen: Float, frusta: Float, poses: Float, upright: bool, lens: float, aspect: float) -> tuple[Float, float]:
    """A Blender camera pose (4, 4) behind, above and to the side of the cameras that has everything in view, and how
    far it stands off.

    `seen` (n, 3) are surface points, of which outliers may fall out of the frame; `frusta` (m, 3) must all be in it;
    `poses` (k, 4, 4) are the cameras in Blender's axes; `upright` says whether z is up (else the cameras' own up is
    taken); `lens` is the focal length over the width of the sensor.
    """
    up = np.array([0.0, 0.0, 1.0]) if upright else _unit(poses[:, :3, 1].mean(axis=0), np.array([0.0, 0.0, 1.0]))
    forward = _direction(poses, up)
    right = _unit(np.cross(forward, up), np.array([1.0, 0.0, 0.0]))
    axes = np.stack([right, np.cross(right, forward), forward])
    within = (np.concatenate([_core(seen, axes), frusta]) if len(seen) else frusta) @ axes.T
    half_width = 0.5 / lens / MARGIN
    target, distance = _fit(within, half_width, half_width / aspect)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([axes[0], axes[1], -axes[2]], axis=1)
    pose[:3, 3] = (np.array([*target, -distance])) @ axes
    return pose, abs(distance) or 1.0


def nearest_spacing(centers: Float) -> float:
    """The median distance (k, 3) of a camera from its nearest neighbour; infinite for a single one."""
    if len(centers) < 2:
        return float("inf")
    apart = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _direction(poses: Float, up: Float) -> Float:
    """The mean direction of the cameras, level, turned to the side, then lowered to look down on the scene."""
    looks = -poses[:, :3, 2].mean(axis=0)
    level = looks - up * (looks @ up)
    if np.linalg.norm(level) < 0.2:  # cameras all round, or looking straight down: no direction stands out
        level = -poses[0, :3, 2] - up * (-poses[0, :3, 2] @ up)
    level = _unit(level, np.cross(up, np.array([1.0, 0.0, 0.0])))
    side = np.cross(up, level)
    turned = np.cos(TURN) * level + np.sin(TURN) * side
    return np.asarray(np.cos(ELEVATION) * turned - np.sin(ELEVATION) * up, np.float64)


def _core(seen: Float, axes: Float) -> Float:
    """The points without outliers: those within the 1st to 99th percentile along each of the view's axes."""
    along = seen @ axes.T
    low, high = np.percentile(along, [1, 99], axis=0)
    return seen[((along >= low) & (along <= high)).all(axis=1)]


def _fit(points: Float, half_width: float, half_height: float) -> tuple[Float, float]:
    """Lateral position (2,) and depth of the nearest eye that has all points (n, 3: x, y, depth) in view.

    For an eye at (x, y) and depth -d: |px - x| <= (pz + d) half_width for every point, likewise y. The sides that
    bind on either hand are independent of each other, so each axis is solved as two lines meeting.
    """
    target, needed = np.zeros(2), []
    for axis, half in ((0, half_width), (1, half_height)):
        low = (points[:, axis] + points[:, 2] * half).min()  # the left edge: px >= x - (pz + d) half
        high = (points[:, axis] - points[:, 2] * half).max()
        target[axis] = (low + high) / 2
        needed.append((high - low) / 2 / half)
    return target, max(needed)


def _unit(vector: Float, fallback: Float) -> Float:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length if length > 1e-9 else fallback, np.float64)
