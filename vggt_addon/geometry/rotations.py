"""Directions and rotations.

This module imports nothing beyond numpy.
"""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def unit(vector: Float) -> Float:
    """`vector` (3,) at unit length. Raises ValueError where it has no direction."""
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length < np.finfo(np.float64).tiny:
        raise ValueError("a vector without a direction")
    return np.asarray(vector / length, dtype=np.float64)


def angle_between(first: Float, second: Float) -> float:
    """Angle between two vectors (3,) in radians, [0, pi]; exact for small angles (atan2, not acos)."""
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), float(first @ second)))


def any_perpendicular(direction: Float) -> Float:
    """Some unit vector (3,) at right angles to `direction` (3,)."""
    axis = np.zeros(3)
    axis[int(np.argmin(np.abs(direction)))] = 1.0
    return unit(np.cross(direction, axis))


def upright_rotation(up: Float, forward: Float) -> Float:
    """The rotation (3, 3) that takes `up` to +z and the part of `forward` at right angles to it to +y.

    Rows are the new frame's axes: z = up, y = forward - (forward . up) up, x = y cross z. Where `forward` is parallel
    to `up`, any heading is taken.
    """
    z = unit(up)
    level = forward - (forward @ z) * z
    y = unit(level) if np.linalg.norm(level) > 1e-9 * np.linalg.norm(forward) else any_perpendicular(z)
    return np.stack([np.cross(y, z), y, z])
