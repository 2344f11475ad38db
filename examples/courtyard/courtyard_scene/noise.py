"""Seeded noise over space and cells over a plane, vectorised. Imports nothing beyond numpy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Array = NDArray[Any]


PRIMES = (374761393, 668265263, 3266489917)


def hashed(*coordinates: Array, seed: int) -> Float:
    """A repeatable random number in [0, 1) for each tuple of up to three integers; arrays of one shape in and out."""
    state = _start(coordinates[0], seed)
    for axis, coordinate in enumerate(coordinates):
        state = _stirred(state, coordinate, axis)
    return state / 2.0**32


def _start(like: Array, seed: int) -> Array:
    return np.full(like.shape, np.uint32(seed * 747796405 % 2**32), np.uint32)


def _stirred(state: Array, coordinate: Array, axis: int) -> Array:
    """The state of the hash (uint32) after one more coordinate has gone in."""
    state = (
        state ^ (coordinate.astype(np.int64) & 0xFFFFFFFF).astype(np.uint32) * np.uint32(PRIMES[axis])
    ) + np.uint32(1)
    state = (state ^ (state >> np.uint32(15))) * np.uint32(2246822507)
    state = (state ^ (state >> np.uint32(13))) * np.uint32(3266489909)
    return np.asarray(state ^ (state >> np.uint32(16)))


def value_noise(points: Array, seed: int) -> Float:
    """Smooth noise with one feature per unit: points (n, 3) to (n,) in [0, 1]. Lattice values, smoothstep between."""
    base = np.floor(points).astype(np.int64)
    fraction = points - base
    weight = fraction * fraction * (3 - 2 * fraction)
    sides = [
        (base[:, axis] + side, weight[:, axis] if side else 1 - weight[:, axis]) for axis in range(3) for side in (0, 1)
    ]
    start, total = _start(base[:, 0], seed), np.zeros(len(points))
    for x, weight_x in sides[0:2]:
        state_x = _stirred(start, x, 0)
        for y, weight_y in sides[2:4]:
            state_xy = _stirred(state_x, y, 1)
            for z, weight_z in sides[4:6]:
                total += _stirred(state_xy, z, 2) / 2.0**32 * weight_x * weight_y * weight_z
    return total


def fractal(points: Array, scale: float, seed: int, octaves: int = 4, roughness: float = 0.5) -> Float:
    """Value noise summed over octaves, about zero: points (n, 3) metres to (n,) in [-1, 1].

    `scale` is features per metre of the coarsest octave; each octave doubles it and weighs `roughness` of the last.
    """
    total = np.zeros(len(points))
    amplitude, norm = 1.0, 0.0
    for octave in range(octaves):
        total += amplitude * (2 * value_noise(points * (scale * 2.0**octave) + 17.3 * octave, seed + octave) - 1)
        norm += amplitude
        amplitude *= roughness
    return total / norm


def cells(plane: Array, seed: int, jitter: float = 0.8) -> tuple[Array, Float]:
    """Voronoi cells around one jittered seed point per unit square: plane (n, 2).

    Returns the integer lattice place of each point's cell (n, 2) int64, and its distance to the cell's border (n,):
    the distance to the nearest bisector between the own seed point and a neighbour's.
    """
    base = np.floor(plane).astype(np.int64)
    offsets = [(dx, dy) for dx in range(-2, 3) for dy in range(-2, 3)]

    def seed_point(place: Array) -> Float:
        shift = [hashed(place[:, 0], place[:, 1], np.full(len(place), axis), seed=seed) for axis in (0, 1)]
        return np.asarray(place + 0.5 + jitter * (np.stack(shift, axis=1) - 0.5))

    nearest = np.full(len(plane), np.inf)
    own_place, own_point = base.copy(), np.zeros(plane.shape)
    for offset in offsets:
        place = base + np.asarray(offset)
        point = seed_point(place)
        distance = ((plane - point) ** 2).sum(axis=1)
        closer = distance < nearest
        nearest[closer], own_place[closer], own_point[closer] = distance[closer], place[closer], point[closer]
    border = np.full(len(plane), np.inf)
    for offset in offsets:
        place = base + np.asarray(offset)
        point = seed_point(place)
        towards = point - own_point
        length = np.sqrt((towards**2).sum(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (((own_point + point) / 2 - plane) * towards).sum(axis=1) / length
        border = np.where((place == own_place).all(axis=1), border, np.minimum(border, distance))
    return own_place, border
