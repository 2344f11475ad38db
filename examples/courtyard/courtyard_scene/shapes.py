"""Meshes as arrays: the few primitives of which the courtyard is made. Imports nothing beyond numpy.

All faces are quads. Each vertex carries a colour and a place in texture space, from which the materials take their
fine grain: pieces of one mesh get different places, so that no two of them look alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Array, Float, fractal

Vector = Sequence[float] | Array  # (3,) numbers
Color = Sequence[float] | Array


@dataclass(frozen=True)
class Shape:
    """A mesh of quads."""

    vertices: Float  # (n, 3) metres
    quads: NDArray[np.int64]  # (m, 4) indices, counter-clockwise seen from outside
    color: Float  # (n, 3) linear light
    texture: Float  # (n, 3) metres in texture space; the grain of wood runs along x

    def moved(self, rotation: Array | None = None, shift: Sequence[float] = (0.0, 0.0, 0.0)) -> "Shape":
        """Turned by a (3, 3) rotation, then shifted; colour and texture stay."""
        turned = self.vertices if rotation is None else self.vertices @ np.asarray(rotation).T
        return Shape(turned + np.asarray(shift, float), self.quads, self.color, self.texture)


def joined(shapes: Sequence[Shape]) -> Shape:
    """All shapes as one mesh."""
    starts = np.cumsum([0] + [len(shape.vertices) for shape in shapes[:-1]])
    return Shape(
        np.concatenate([shape.vertices for shape in shapes]),
        np.concatenate([shape.quads + start for shape, start in zip(shapes, starts, strict=True)]),
        np.concatenate([shape.color for shape in shapes]),
        np.concatenate([shape.texture for shape in shapes]),
    )


def linear(code: str) -> Float:
    """A colour written as six hex digits of sRGB, as (3,) linear light. IEC 61966-2-1."""
    value = np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def mixed(first: Color, second: Color, weight: Array) -> Float:
    """Linear blend of two colours, (3,) or (n, 3), by weight (n,) clipped to [0, 1]: (n, 3)."""
    share = np.clip(weight, 0, 1)[:, None]
    return np.asarray(np.asarray(first) * (1 - share) + np.asarray(second) * share)


def turned(axis: str, degrees: float) -> Float:
    """Rotation about a world axis, (3, 3), right-handed."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = c
    rotation[first, second], rotation[second, first] = -s, s
    return rotation


def grid_quads(rows: int, columns: int, *, closed: bool = False) -> NDArray[np.int64]:
    """Quads over a (rows, columns) grid of vertices; `closed` joins the last column to the first."""
    last = columns if closed else columns - 1
    row, column = (a.ravel() for a in np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij"))
    right = (column + 1) % columns
    return np.stack(
        [row * columns + column, row * columns + right, (row + 1) * columns + right, (row + 1) * columns + column], 1
    )


def relief(
    origin: Sequence[float],
    axes: tuple[Sequence[float], Sequence[float]],
    size: tuple[float, float],
    spacing: float,
    surface: Callable[[Float], tuple[Float, Float, Float]],
) -> Shape:
    """A rectangle in the plane of two unit axes, raised along their cross product.

    `surface` takes (n, 2) metres along the axes and gives height (n,) metres, colour (n, 3), texture (n, 3).
    """
    counts = [max(2, round(length / spacing) + 1) for length in size]
    u, v = np.meshgrid(np.linspace(0, size[0], counts[0]), np.linspace(0, size[1], counts[1]))
    plane = np.stack([u.ravel(), v.ravel()], axis=1)
    height, color, texture = surface(plane)
    first, second = (np.asarray(axis, float) for axis in axes)
    vertices = np.asarray(origin, float) + plane[:, :1] * first + plane[:, 1:] * second
    vertices = vertices + height[:, None] * np.cross(first, second)
    texture = texture + height[:, None] * (0.0, 0.0, 1.0)
    return Shape(vertices, grid_quads(counts[1], counts[0]), color, texture)


def lathe(
    profile: Sequence[tuple[float, float]],
    spacing: float,
    *,
    smooth: bool = False,
    texture_shift: Vector = (0, 0, 0),
) -> Shape:
    """A profile of (radius, height) from bottom to top and, where the thing is hollow, down inside, turned about z.

    Corners of the profile are kept, or cut by Chaikin's rule where `smooth`. White; colour it with `colored`.
    """
    corners = np.asarray(profile, float)
    for _ in range(2 if smooth else 0):
        before, after = corners[:-1], corners[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        corners = np.concatenate([corners[:1], cut[1:-1], corners[-1:]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    stations = np.unique(np.concatenate([length, np.arange(0, length[-1], spacing)]))
    radius, height = (np.interp(stations, length, corners[:, axis]) for axis in (0, 1))
    columns = max(12, round(2 * np.pi * corners[:, 0].max() / spacing))
    angle = np.arange(columns) * 2 * np.pi / columns
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    vertices = np.concatenate(
        [radius[:, None, None] * ring[None], np.broadcast_to(height[:, None, None], (len(radius), columns, 1))], axis=2
    ).reshape(-1, 3)
    quads = grid_quads(len(radius), columns, closed=True)
    return Shape(vertices, quads, np.ones_like(vertices), vertices + np.asarray(texture_shift))


def cube_grid(divisions: Sequence[int]) -> tuple[Float, NDArray[np.int64]]:
    """The surface of the cube [-1, 1]^3 as six grids with so many cells along x, y and z: vertices and quads."""
    vertices, quads, start = [], [], 0
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        for side in (-1.0, 1.0):
            a, b = np.meshgrid(
                np.linspace(-1, 1, divisions[first] + 1) * side, np.linspace(-1, 1, divisions[second] + 1)
            )
            face = np.empty((a.size, 3))
            face[:, axis], face[:, first], face[:, second] = side, a.ravel(), b.ravel()
            vertices.append(face)
            quads.append(grid_quads(*a.shape) + start)
            start += a.size
    return np.concatenate(vertices), np.concatenate(quads)


def box(
    size: Sequence[float], spacing: float, color: Color, seed: int, *, bevel: float = 0.008, rough: float = 0.003
) -> Shape:
    """A block of size (x, y, z) about the origin with rounded edges and an uneven surface; texture space by seed."""
    half = np.asarray(size, float) / 2
    bevel = min(bevel, float(half.min()) * 0.9)
    unit, quads = cube_grid([int(np.clip(round(s / spacing), 2, 400)) for s in size])
    flat = unit * half
    core = np.clip(flat, -(half - bevel), half - bevel)
    outward = flat - core
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    texture = flat + np.random.default_rng(seed).uniform(-40, 40, 3)
    vertices = core + outward * (bevel + rough * fractal(texture, 9.0, seed)[:, None])
    return Shape(vertices, quads, np.broadcast_to(np.asarray(color, float), flat.shape).copy(), texture)


def ball(radii: Vector, spacing: float, color: Color, seed: int, *, rough: float = 0.05, scale: float = 3.0) -> Shape:
    """An ellipsoid about the origin; `rough` is a share of its radius, `scale` bumps per radius."""
    count = int(np.clip(round(max(radii) * 1.6 / spacing), 4, 100))
    unit, quads = cube_grid([count] * 3)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    shift = np.random.default_rng(seed).uniform(-40, 40, 3)
    swell = 1 + rough * fractal(unit + shift, scale, seed)
    vertices = unit * np.asarray(radii, float) * swell[:, None]
    return Shape(vertices, quads, np.broadcast_to(np.asarray(color, float), unit.shape).copy(), vertices + shift)


def roughened(shape: Shape, amount: float, scale: float, seed: int) -> Shape:
    """Every vertex moved by noise in all three directions, at most `amount` metres."""
    move = np.stack([fractal(shape.vertices, scale, seed + 31 * axis) for axis in range(3)], axis=1)
    return Shape(shape.vertices + amount * move, shape.quads, shape.color, shape.texture)


def colored(shape: Shape, color: Color) -> Shape:
    """The same mesh in one colour (3,) or in one per vertex (n, 3)."""
    return Shape(
        shape.vertices, shape.quads, np.broadcast_to(np.asarray(color, float), shape.vertices.shape), shape.texture
    )


def weathered(shape: Shape, stain: Color, amount: float, scale: float, seed: int) -> Shape:
    """Blotches of a second colour over the shape's own; `amount` in [0, 1] is about the share that they cover."""
    blotch = fractal(shape.texture, scale, seed, octaves=5, roughness=0.6)
    return colored(shape, mixed(shape.color, stain, 0.5 + 3 * (blotch + amount - 0.5)))
