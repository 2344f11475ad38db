"""Scenes of textured rectangles with known depth, rendered by numpy alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.engines.sfm.dense.estimate import DenseView
from vggt_addon.engines.sfm.dense.matching import Matcher
from vggt_addon.engines.sfm.dense.pictures import picture
from vggt_addon.engines.sfm.dense.settings import DEFAULTS
from vggt_addon.geometry.projection import camera_center, project

Float = NDArray[np.float64]
FINE = 3  # rays per pixel and axis


@dataclass(frozen=True)
class Card:
    """A rectangle: `corner` plus [0, 1] of `right` and [0, 1] of `down`, world frame (x right, y down, z away)."""

    corner: tuple[float, float, float]
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    grain: float = 0.08  # world units: size of the texture's largest spots
    contrast: float = 1.0  # 0 is a bare grey wall
    seed: int = 0


@dataclass(frozen=True)
class Rendered:
    """Views of a scene and the truth about them."""

    views: list[DenseView]
    depths: list[Float]  # (h, w) of each view, 0 where no card is seen
    labels: list[NDArray[np.int64]]  # (h, w) index of the card seen, -1 for none
    tracks: Float  # (m, 3) world


def noise(coordinates: Float, grain: float, seed: int) -> Float:
    """Smooth random texture in [0, 1] at (n, 2) coordinates: four octaves of interpolated random lattices."""
    lattice = np.random.default_rng(seed).random((4, 64, 64))
    total = np.zeros(len(coordinates))
    for octave, values in enumerate(lattice):
        place = coordinates / grain * 2.0**octave
        whole = np.floor(place).astype(int)
        part = place - whole
        part = part * part * (3 - 2 * part)
        column, row = whole[:, 0] % 64, whole[:, 1] % 64
        right, below = (column + 1) % 64, (row + 1) % 64
        top = values[row, column] * (1 - part[:, 0]) + values[row, right] * part[:, 0]
        bottom = values[below, column] * (1 - part[:, 0]) + values[below, right] * part[:, 0]
        total += (top * (1 - part[:, 1]) + bottom * part[:, 1]) / 2.0**octave
    return np.clip(0.5 + (total / 1.875 - 0.5) * 2.5, 0, 1)


def trace(cards: Sequence[Card], intrinsics: Float, camera_from_world: Float, pixels: Float) -> tuple[Float, ...]:
    """Depth, grey and card index (-1 for none) along the rays of pixels (n, 2)."""
    rotation = camera_from_world[:3, :3]
    rays = np.c_[pixels, np.ones(len(pixels))] @ np.linalg.inv(intrinsics).T @ rotation
    center = camera_center(camera_from_world)
    depth, grey, label = np.full(len(pixels), np.inf), np.full(len(pixels), 0.5), np.full(len(pixels), -1.0)
    for index, card in enumerate(cards):
        right, down = np.array(card.right), np.array(card.down)
        normal = np.cross(right, down)
        along = ((np.array(card.corner) - center) @ normal) / (rays @ normal)
        point = center + along[:, None] * rays - card.corner
        u, v = point @ right / (right @ right), point @ down / (down @ down)
        hit = (along > 0) & (along < depth) & (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
        place = np.c_[u * np.linalg.norm(right), v * np.linalg.norm(down)][hit]
        depth[hit], label[hit] = along[hit], index
        grey[hit] = 0.5 + card.contrast * (noise(place, card.grain, card.seed + index) - 0.5)
    return depth, grey, label


def look_at(center: Sequence[float], target: Sequence[float], roll: float = 0.0) -> Float:
    """Camera from world (4, 4) of a camera at `center` that looks at `target`, world y down, `roll` in degrees."""
    forward = np.subtract(target, center) / np.linalg.norm(np.subtract(target, center))
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    turn = np.radians(roll)
    rotation = np.stack(
        [np.cos(turn) * right + np.sin(turn) * down, np.cos(turn) * down - np.sin(turn) * right, forward]
    )
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ center
    return camera_from_world


def render_view(
    cards: Sequence[Card], name: str, camera_from_world: Float, size: tuple[int, int], focal: float
) -> tuple[DenseView, Float, NDArray[np.int64]]:
    """One view (without tracks), its depth and its labels. size is (width, height)."""
    width, height = size
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    x, y = np.meshgrid((np.arange(width * FINE) + 0.5) / FINE, (np.arange(height * FINE) + 0.5) / FINE)
    fine_pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
    grey = trace(cards, intrinsics, camera_from_world, fine_pixels)[1]
    grey = grey.reshape(height, FINE, width, FINE).mean(axis=(1, 3))
    color = np.repeat(np.round(grey * 255).astype(np.uint8)[..., None], 3, axis=2)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    depth, _, label = trace(cards, intrinsics, camera_from_world, np.stack([x, y], axis=-1).reshape(-1, 2))
    depth = np.where(np.isfinite(depth), depth, 0).reshape(height, width)
    no_tracks = np.zeros(0, dtype=np.int64)
    view = DenseView(name, color, intrinsics, camera_from_world, no_tracks)
    return view, depth, label.astype(np.int64).reshape(height, width)


def sparse_points(cards: Sequence[Card], count: int) -> Float:
    """`count` points on every card that has texture, world frame, like those of structure from motion."""
    random = np.random.default_rng(7)
    points = []
    for card in cards:
        if card.contrast > 0:
            uv = random.random((count, 2))
            points.append(np.array(card.corner) + uv[:, :1] * card.right + uv[:, 1:] * card.down)
    return np.concatenate(points)


def observed(points: Float, view: DenseView, depth: Float) -> NDArray[np.int64]:
    """Indices of the points that a view sees, by its true depth."""
    pixels, distance = project(view.intrinsics, view.camera_from_world, points)
    place = np.floor(np.nan_to_num(pixels, nan=-1)).astype(int)
    inside = (place >= 0).all(axis=1) & (place < depth.shape[::-1]).all(axis=1)
    seen = inside.copy()
    seen[inside] = np.abs(distance[inside] / np.maximum(depth[place[inside, 1], place[inside, 0]], 1e-9) - 1) < 0.02
    return np.flatnonzero(seen).astype(np.int64)


def render(
    cards: Sequence[Card],
    cameras: Sequence[Float],
    sizes: Sequence[tuple[int, int]] = ((160, 120),),
    focal: float = 150.0,
    points_per_card: int = 120,
) -> Rendered:
    """The cards seen by the cameras; `sizes` (width, height) are used in turn."""
    tracks = sparse_points(cards, points_per_card)
    views, depths, labels = [], [], []
    for index, camera_from_world in enumerate(cameras):
        view, depth, label = render_view(cards, f"{index}", camera_from_world, sizes[index % len(sizes)], focal)
        ids = observed(tracks, view, depth)
        views.append(DenseView(view.name, view.color, view.intrinsics, view.camera_from_world, ids))
        depths.append(depth)
        labels.append(label)
    return Rendered(views, depths, labels, tracks)


def arc(count: int, step: float = 0.35, distance: float = 4.0) -> list[Float]:
    """Cameras side by side, `step` apart, all looking at the origin from `distance`."""
    places = (np.arange(count) - (count - 1) / 2) * step
    return [look_at((x, -0.15 * (-1) ** i, -distance), (0, 0, 0)) for i, x in enumerate(places)]


GROUND = Card((-3, 0.9, -2.5), (6, 0, 0), (0, 0, 7), seed=1)  # seen at a slant
WALL = Card((-5, -4, 2), (10, 0, 0), (0, 7, 0), grain=0.15, seed=2)  # behind everything
POSTER = Card((-0.5, -0.7, -0.3), (1.0, 0, 0.3), (0, 1.0, 0), grain=0.06, seed=3)  # in front, with a silhouette


@pytest.fixture(scope="session")
def card() -> type[Card]:
    return Card


@pytest.fixture(scope="session")
def render_cards() -> Callable[..., Rendered]:
    """render_cards(cards, count, sizes): `count` cameras side by side; the courtyard unless cards are given."""

    def of(
        cards: Sequence[Card] = (GROUND, WALL, POSTER), count: int = 4, sizes: Sequence[tuple[int, int]] = ((160, 120),)
    ) -> Rendered:
        return render(cards, arc(count), sizes)

    return of


@pytest.fixture(scope="session")
def courtyard(render_cards: Callable[..., Rendered]) -> Rendered:
    """Five views of slanted ground, a wall, and a poster in front of it."""
    return render_cards(count=5)


@pytest.fixture(scope="session")
def slanted(render_cards: Callable[..., Rendered]) -> Rendered:
    """Three views of one large slanted surface."""
    return render_cards([Card((-6, -6, -1), (12, 0, 3), (0, 12, 2), grain=0.15)], count=3)


@pytest.fixture(scope="session")
def slanted_matcher(slanted: Rendered) -> Matcher:
    """The first view of `slanted` against the two others."""
    pictures = [picture(view) for view in slanted.views]
    return Matcher(pictures[0], pictures[1:], DEFAULTS)
