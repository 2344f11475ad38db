"""Leaves: in the urn, in the pots, up the brick wall, and fallen on the ground. Imports nothing beyond numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .masonry import WALL, spread
from .noise import Array, Float, fractal
from .shapes import Shape, grid_quads, joined, lathe, linear


def leaves(
    places: Array, outward: Array, lengths: Array, colors: Array, seed: int, *, width: float = 0.55, curl: float = 0.25
) -> Shape:
    """One curved, folded leaf per place: places, outward directions and colours (n, 3), lengths (n,) metres."""
    rng = np.random.default_rng(seed)
    along, across = np.linspace(0, 1, 5), np.array([-1.0, 0.0, 1.0])
    outline = np.array([0.12, 0.78, 1.0, 0.72, 0.03]) * width / 2
    count = len(places)
    tip = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    side = np.cross(tip, rng.normal(size=(count, 3)) * 0.5 + (0, 0, 1.0))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
    face = np.cross(side, tip)
    s, t = (a.ravel() for a in np.meshgrid(along, across, indexing="ij"))
    w = np.repeat(outline, 3) * t
    bend = -curl * s**2 + 0.35 * np.abs(w)
    local = tip[:, None] * s[None, :, None] + side[:, None] * w[None, :, None] + face[:, None] * bend[None, :, None]
    vertices = places[:, None] + local * lengths[:, None, None]
    quads = grid_quads(5, 3)[None] + 15 * np.arange(count)[:, None, None]
    vein = np.where(np.abs(t) < 0.5, 1.25, 1.0) * (0.8 + 0.3 * s)
    color = colors[:, None] * vein[None, :, None]
    texture = np.stack([s, w, 0 * s], axis=1)[None] * lengths[:, None, None] + rng.uniform(-40, 40, (count, 1, 3))
    return Shape(vertices.reshape(-1, 3), quads.reshape(-1, 4), color.reshape(-1, 3), texture.reshape(-1, 3))


def greens(count: int, codes: Sequence[str], seed: int) -> Float:
    """A leaf colour for each of `count` leaves: (n, 3) linear."""
    rng = np.random.default_rng(seed)
    table = np.stack([linear(code) for code in codes])
    return np.asarray(table[rng.integers(len(codes), size=count)] * rng.uniform(0.6, 1.35, (count, 1)))


def bush(center: Array, radii: Array, plant: "Plant", seed: int) -> Shape:
    """Leaves over the upper shell of a lumpy ellipsoid, pointing outward and a little down."""
    rng, count = np.random.default_rng(seed), plant.leaves
    direction = rng.normal(size=(count, 3))
    direction[:, 2] = np.where(direction[:, 2] < -0.3, -direction[:, 2], direction[:, 2])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    depth = rng.uniform(0.45, 1.0, count) ** 0.6 * (1 + 0.35 * fractal(direction + 9.0 * seed, 1.8, seed))
    places = center + direction * radii * depth[:, None]
    outward = direction + rng.normal(0, 0.45, (count, 3)) + (0, 0, 0.15)
    color = greens(count, plant.greens, seed + 1) * (0.55 + 0.45 * depth[:, None])
    lengths = plant.length * rng.uniform(0.6, 1.3, count)
    return leaves(places, outward, lengths, color, seed + 2, width=plant.width)


def blooms(center: Array, radii: Array, plant: "Plant", seed: int) -> Shape:
    """Clusters of seven petals over the top of a bush."""
    rng, size = np.random.default_rng(seed), plant.petal
    direction = rng.normal(size=(plant.flowers, 3))
    direction[:, 2] = np.abs(direction[:, 2]) + 0.3
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    heads = np.repeat(center + direction * radii * 1.08, 7, axis=0)
    spray = np.repeat(direction, 7, axis=0) * 0.7 + rng.normal(0, 0.6, heads.shape)
    places = heads + rng.normal(0, size * 0.5, heads.shape)
    color = greens(len(heads), plant.petals, seed + 1)
    return leaves(places, spray, size * rng.uniform(0.7, 1.3, len(heads)), color, seed + 2, width=0.9)


def stems(foot: Array, center: Array, radii: Array, count: int, seed: int) -> Shape:
    """Thin bent stalks from the earth of a pot to the inside of a bush."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(count):
        start = foot + rng.normal(0, 0.03, 3) * (1, 1, 0)
        end = center + rng.uniform(-0.6, 0.6, 3) * radii
        stalk = lathe([(0.009, 0.0), (0.007, 0.35), (0.006, 0.7), (0.004, 1.0)], 0.06)
        radial, share = stalk.vertices[:, :2] * rng.uniform(0.8, 1.5), stalk.vertices[:, 2:]
        bend = np.sin(np.pi * share) * rng.normal(0, 0.03, 3)
        vertices = start + share * (end - start) + bend + np.pad(radial, ((0, 0), (0, 1)))
        color = np.broadcast_to(linear("5d5a36") * rng.uniform(0.7, 1.3), vertices.shape)
        parts.append(Shape(vertices, stalk.quads, color, vertices + rng.uniform(-40, 40, 3)))
    return joined(parts)


def ivy(count: int) -> Shape:
    """Ivy on the brick wall, rising from the corner, thinning out where noise says so."""
    rng = np.random.default_rng(101)
    along, up = rng.uniform(0, 2.6, count * 4), rng.uniform(0.02, 3.15, count * 4)
    reach = 1.15 + 0.35 * up + 1.3 * fractal(spread(np.stack([along, up], 1)), 0.9, 102, 4) - along
    keep = rng.random(len(along)) < np.clip(reach / 0.35, 0, 1)
    along, up = along[keep][:count], up[keep][:count]
    places = np.stack(
        [
            -WALL + 0.03 + rng.uniform(0, 0.13, len(along)) * np.clip(reach[keep][:count] + 0.3, 0.3, 1),
            WALL - along,
            up,
        ],
        1,
    )
    outward = np.array([0.55, 0, -0.65]) + rng.normal(0, 0.5, places.shape)
    color = greens(len(places), ["3f5a28", "4f6b2f", "5d7a38", "6b7f3c", "3a5030", "87803c"], 103)
    return leaves(places, outward, rng.uniform(0.06, 0.12, len(places)), color, 104, width=0.85, curl=0.2)


def litter(count: int) -> Shape:
    """Dry leaves on the paving, gathered towards the walls and the plinth."""
    rng = np.random.default_rng(111)
    places = np.stack(
        [rng.uniform(-2.45, 3.8, count * 3), rng.uniform(-3.8, 2.45, count * 3), rng.uniform(0.012, 0.022, count * 3)],
        1,
    )
    near = np.minimum(
        np.minimum(places[:, 0] + WALL, WALL - places[:, 1]), np.abs(np.hypot(places[:, 0], places[:, 1]) - 0.6)
    )
    places = places[rng.random(len(places)) < np.clip(np.exp(-near / 0.6), 0.14, 1)][:count]
    outward = rng.normal(size=places.shape) * (1, 1, 0.12)
    color = greens(len(places), ["8a6a34", "a07a3a", "7a4f2a", "9a8a4a", "6a5a30", "b08a48"], 112)
    return leaves(places, outward, rng.uniform(0.035, 0.085, len(places)), color, 113, width=0.6, curl=-0.15)


@dataclass(frozen=True)
class Plant:
    """A bush in a pot, flowering or not."""

    earth: float  # metres: height of the pot's earth
    center: tuple[float, float, float]  # metres: middle of the bush, over the middle of its pot
    radii: tuple[float, float, float]  # metres
    stalks: int
    leaves: int
    length: float  # metres: of a leaf
    width: float  # share of a leaf's length
    greens: tuple[str, ...]
    flowers: int = 0
    petal: float = 0.03  # metres
    petals: tuple[str, ...] = ()


GREEN = ("4f6f33", "5f8040", "6f8f4a", "486230", "7d9450")
SILVER = ("8b9a83", "9aa88c", "76886f", "a8b09a")
OLIVE = ("566b3a", "65793f", "7a8a55", "4a5d33")
RED, PINK = ("c23b34", "d4574a", "b02a3a", "e07a68"), ("d88ab0", "c86a98", "e8b0c8")
YELLOW = ("d9a13a", "e0b850", "c88a2a")
PLANTS = (
    Plant(1.10, (0, 0, 1.38), (0.36, 0.36, 0.28), 12, 900, 0.085, 0.70, GREEN, 42, 0.032, RED),
    Plant(0.27, (0.98, -0.62, 0.47), (0.26, 0.26, 0.24), 9, 520, 0.070, 0.30, SILVER),
    Plant(0.43, (-1.75, 1.85, 0.95), (0.42, 0.40, 0.52), 9, 1100, 0.110, 0.42, OLIVE),
    Plant(0.32, (2.42, 2.12, 0.56), (0.30, 0.28, 0.30), 9, 600, 0.085, 0.75, GREEN, 30, 0.034, PINK),
    Plant(0.63, (-2.26, -1.2, 0.75), (0.18, 0.18, 0.16), 7, 300, 0.060, 0.60, GREEN, 18, 0.030, YELLOW),
)


def pot_plants() -> Shape:
    """What grows in the urn and in the pots, at the places that `layout` gives these."""
    parts = []
    for index, plant in enumerate(PLANTS):
        center, radii, seed = np.array(plant.center), np.array(plant.radii), 120 + 10 * index
        foot = np.array([plant.center[0], plant.center[1], plant.earth])
        parts.append(stems(foot, center, radii, plant.stalks, seed))
        parts.append(bush(center, radii, plant, seed + 1))
        if plant.flowers:
            parts.append(blooms(center, radii, plant, seed + 4))
    return joined(parts)
