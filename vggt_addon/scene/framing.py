"""Where to stand to see a whole capture at a glance.

This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

# Three-quarter views, best first: degrees to the side of where the cameras look, and above the horizon.
VIEWS = tuple((turn, elevation) for elevation in (24, 36, 50) for turn in (32, -32, 12, -12, 55, -55))
MARGIN = 1.1
WORSE = 0.01  # how much of the subject a later view must uncover to be taken instead of one before it
SUBJECT = 400  # points that stand for what the cameras look at
FRUSTA = 60  # frusta that are looked at for being in the way

# Which of a frustum's five corners (centre, then the picture's) make the triangles that hide what is behind.
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1], [1, 2, 3], [1, 3, 4]])


def frame(seen: Float, frusta: Float, poses: Float, upright: bool, lens: float, aspect: float) -> tuple[Float, float]:
    """A Blender camera pose (4, 4) behind, above and to the side of the cameras that has everything in view, and how
    far it stands off.

    Among the three-quarter views of `VIEWS` it takes the one where the fewest frusta hide the subject. `seen` (n, 3)
    are surface points, of which outliers may fall out of the frame; `frusta` (k, 5, 3), centre and picture corners,
    must all be in it; `poses` (k, 4, 4) are the cameras in Blender's axes; `upright` says whether z is up (else the
    cameras' own up is taken); `lens` is the focal length over the width of the sensor.
    """
    up = np.array([0.0, 0.0, 1.0]) if upright else _unit(poses[:, :3, 1].mean(axis=0), np.array([0.0, 0.0, 1.0]))
    level = _level(poses, up)
    core = _core(seen)
    subject = _subject(core)
    best: tuple[float, Float, float] | None = None
    for rank, (turn, elevation) in enumerate(VIEWS):
        pose, distance = _view(core, frusta, _turned(level, up, turn, elevation), up, lens, aspect)
        cost = WORSE * rank + _hidden(subject, frusta[:: -(-len(frusta) // FRUSTA)], pose)
        if best is None or cost < best[0]:
            best = cost, pose, distance
    assert best is not None
    return best[1], best[2]


def nearest_spacing(centers: Float) -> float:
    """The median distance (k, 3) of a camera from its nearest neighbour; infinite for a single one."""
    if len(centers) < 2:
        return float("inf")
    apart = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _view(core: Float, frusta: Float, forward: Float, up: Float, lens: float, aspect: float) -> tuple[Float, float]:
    """The nearest pose that looks along `forward` and has everything in view."""
    right = _unit(np.cross(forward, up), np.array([1.0, 0.0, 0.0]))
    axes = np.stack([right, np.cross(right, forward), forward])
    corners = frusta.reshape(-1, 3)
    within = np.concatenate([_trimmed(core, axes), corners]) @ axes.T
    half_width = 0.5 / lens / MARGIN
    target, distance = _fit(within, half_width, half_width / aspect)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([axes[0], axes[1], -axes[2]], axis=1)
    pose[:3, 3] = np.array([*target, -distance]) @ axes
    off = float(np.median(within[:, 2])) + distance
    return pose, off or 1.0


def _level(poses: Float, up: Float) -> Float:
    """The mean direction in which the cameras look, brought to the horizon."""
    looks = -poses[:, :3, 2].mean(axis=0)
    level = looks - up * (looks @ up)
    if np.linalg.norm(level) < 0.2:  # cameras all round, or looking straight down: no direction stands out
        level = -poses[0, :3, 2] - up * (-poses[0, :3, 2] @ up)
    return _unit(level, np.cross(up, np.array([1.0, 0.0, 0.0])))


def _turned(level: Float, up: Float, turn: float, elevation: float) -> Float:
    """`level` turned to the side by `turn` degrees and lowered by `elevation` degrees."""
    side, down = np.radians(turn), np.radians(elevation)
    turned = np.cos(side) * level + np.sin(side) * np.cross(up, level)
    return np.asarray(np.cos(down) * turned - np.sin(down) * up, np.float64)


def _core(seen: Float) -> Float:
    """The points without what lies apart: within twice the distance from their middle that three in four keep to."""
    if not len(seen):
        return seen
    apart = np.linalg.norm(seen - np.median(seen, axis=0), axis=1)
    return np.asarray(seen[apart <= 2 * np.percentile(apart, 75)], np.float64)


def _trimmed(core: Float, axes: Float) -> Float:
    """The points within the 1st to 99th percentile along each of the view's axes."""
    if not len(core):
        return core
    along = core @ axes.T
    low, high = np.percentile(along, [1, 99], axis=0)
    return np.asarray(core[((along >= low) & (along <= high)).all(axis=1)], np.float64)


def _subject(seen: Float) -> Float:
    """A sample of the half of the points that lies nearest to their middle."""
    if not len(seen):
        return seen
    apart = np.linalg.norm(seen - np.median(seen, axis=0), axis=1)
    near = seen[apart <= np.median(apart)]
    return np.asarray(near[:: max(1, len(near) // SUBJECT)], np.float64)


def _hidden(subject: Float, frusta: Float, pose: Float) -> float:
    """The share of `subject` (n, 3) that stands behind one of `frusta` (k, 5, 3), seen from `pose`."""
    if not len(subject):
        return 0.0
    (points, depth), (corners, corner_depth) = _projected(subject, pose), _projected(frusta, pose)
    a, b, c = (corners[:, TRIANGLES[:, corner]][:, :, None] for corner in range(3))  # (k, 6, 1, 2)
    sides = np.stack([_turn(a, b, points), _turn(b, c, points), _turn(c, a, points)])
    inside = (sides >= 0).all(axis=0) | (sides <= 0).all(axis=0)  # (k, 6, n)
    before = corner_depth.mean(axis=1)[:, None, None] < depth
    return float((inside & before).any(axis=(0, 1)).mean())


def _projected(points: Float, pose: Float) -> tuple[Float, Float]:
    """Image coordinates (..., 2) and depth (...) of points (..., 3)."""
    in_camera = (points - pose[:3, 3]) @ pose[:3, :3]
    return in_camera[..., :2] / -in_camera[..., 2:], -in_camera[..., 2]


def _turn(start: Float, end: Float, point: Float) -> Float:
    """On which side of the line from `start` to `end` each point lies: the cross product in the image."""
    along, to = end - start, point - start
    return np.asarray(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0], np.float64)


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
    return target, float(max(needed))


def _unit(vector: Float, fallback: Float) -> Float:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length if length > 1e-9 else fallback, np.float64)
