"""Worlds whose answer is known: z is up and the ground is z = 0, before they are tilted, scaled and moved."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.geometry.projection import grid_pixels
from vggt_addon.geometry.rotations import unit
from vggt_addon.geometry.similarity import similarity
from vggt_addon.reconstruction import Reconstruction, View

Float = NDArray[np.float64]
UP = np.array([0.0, 0, 1])


@dataclass(frozen=True)
class World:
    """Cameras and points, and the transform that took them from the upright world to where they are."""

    cameras_from_world: Float  # (n, 4, 4)
    points: Float  # (m, 3)
    world_from_upright: Float  # (4, 4) similarity

    @property
    def up(self) -> Float:
        return unit(self.world_from_upright[:3, :3] @ UP)

    def moved(self, transform: Float) -> "World":
        """The same world seen from another frame: x' = s R x + t; camera_from_world' = R_c R^T, s t_c - R_c R^T t."""
        scale = float(np.cbrt(np.linalg.det(transform[:3, :3])))
        rotation, shift = transform[:3, :3] / scale, transform[:3, 3]
        cameras = self.cameras_from_world.copy()
        cameras[:, :3, :3] = self.cameras_from_world[:, :3, :3] @ rotation.T
        cameras[:, :3, 3] = scale * self.cameras_from_world[:, :3, 3] - cameras[:, :3, :3] @ shift
        points = self.points @ transform[:3, :3].T + shift
        return World(cameras, points, transform @ self.world_from_upright)

    def tilted(self, seed: int, scale: float = 1.0, distance: float = 0.0) -> "World":
        rng = np.random.default_rng(seed)
        rotation = _turn(rng.normal(size=3), float(rng.uniform(0.3, 3)))
        return self.moved(similarity(scale, rotation, rng.normal(size=3) * distance))


def _turn(axis: Float, angle: float) -> Float:
    """Rotation (3, 3) by `angle` radians about `axis` (3,)."""
    return np.asarray(cv2.Rodrigues(angle * unit(axis))[0], np.float64)


def camera_at(center: Float, target: Float, roll: float = 0.0) -> Float:
    """camera_from_world (4, 4) of an upright photo taken at `center` towards `target`, then rolled by radians."""
    z = unit(np.asarray(target, float) - center)
    x = unit(np.cross(z, UP))
    rotation = _turn(UP, roll) @ np.stack([x, np.cross(z, x), z])
    camera = np.eye(4)
    camera[:3, :3] = rotation
    camera[:3, 3] = -rotation @ center
    return camera


def ring(count: int, radius: float, height: float, arc: float = 360.0, rolls: Float | None = None) -> Float:
    """Cameras that walk round the origin and look at a place 1 above it."""
    angles = np.radians(np.arange(count) * arc / count)
    centers = np.stack([radius * np.sin(angles), -radius * np.cos(angles), np.full(count, height)], axis=1)
    rolls = np.zeros(count) if rolls is None else rolls
    return np.array([camera_at(c, np.array([0, 0, 1.0]), float(r)) for c, r in zip(centers, rolls, strict=True)])


def row(count: int, height: float = 1.6, pitch: float = 0.0) -> Float:
    """Cameras side by side that all look along +y, down by `pitch` degrees."""
    direction = np.array([0, np.cos(np.radians(pitch)), -np.sin(np.radians(pitch))])
    centers = [np.array([float(index), -6, height]) for index in range(count)]
    return np.array([camera_at(center, center + direction) for center in centers])


def ground(count: int, rng: np.random.Generator, radius: float = 6.0, noise: float = 0.01) -> Float:
    angles, distances = rng.uniform(0, 2 * np.pi, count), radius * np.sqrt(rng.uniform(0, 1, count))
    return np.stack([distances * np.cos(angles), distances * np.sin(angles), noise * rng.normal(size=count)], axis=1)


def wall(count: int, rng: np.random.Generator, y: float = 4.0, width: float = 10.0, height: float = 5.0) -> Float:
    x, z = rng.uniform(-width / 2, width / 2, count), rng.uniform(0, height, count)
    return np.stack([x, y + 0.01 * rng.normal(size=count), z], axis=1)


def clutter(count: int, rng: np.random.Generator, size: float = 1.5) -> Float:
    return np.asarray(rng.normal(size=(count, 3)) * size * [0.5, 0.5, 0.3] + [0, 0, size])


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """World(cameras, parts...): parts are (n, 3) points of the upright world."""

    def make(cameras: Float, *parts: Float) -> World:
        points = np.concatenate(parts) if parts else np.zeros((0, 3))
        return World(cameras, points, np.eye(4))

    return make


def seen(camera_from_world: Float, name: str = "a.jpg", width: int = 640, height: int = 480, step: int = 8) -> View:
    """What a photo of a courtyard measures: the ground z = 0, a wall y = 4, a box in front of it; the sky is a hole.

    Depth along the optical axis is exact: of the planes n . X = d, the nearest that its ray meets from the front.
    """
    intrinsics = np.array([[500.0, 0, width / 2], [0, 500, height / 2], [0, 0, 1]])
    photo_from_grid = np.diag([float(step), step, 1])
    pixels = grid_pixels(photo_from_grid, height // step, width // step)
    rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1) @ np.linalg.inv(intrinsics).T
    rays = rays @ camera_from_world[:3, :3]
    center = -camera_from_world[:3, :3].T @ camera_from_world[:3, 3]
    depth = np.full(rays.shape[:2], np.inf)
    for axis, at, lowest, highest in (
        (2, 0.0, (-9, -9, 0), (9, 4, 0)),
        (1, 4.0, (-5, 4, 0), (5, 4, 3)),
        (1, 1.0, (-1, 1, 0), (1, 1, 2)),
        (2, 2.0, (-1, 1, 2), (1, 2, 2)),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (at - center[axis]) / rays[..., axis]
            hit = center + distance[..., None] * rays
        others = [other for other in range(3) if other != axis]
        inside = (distance > 0) & (distance < depth)
        for other in others:
            inside &= (hit[..., other] >= lowest[other]) & (hit[..., other] <= highest[other])
        depth = np.where(inside, distance, depth)
    depth = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    place = center + depth[..., None] * rays
    color = np.where(depth[..., None] > 0, 40 + 20 * (np.floor(place) % 8), 250).astype(np.uint8)
    confidence = np.where(depth > 0, 0.3 + 0.7 / (1 + depth / 5), 0).astype(np.float32)
    return View(
        name, name, Path(name), Path(name), width, height, intrinsics, camera_from_world, photo_from_grid,
        depth, confidence, color,
    )  # fmt: skip


def courtyard(count: int = 6, width: int = 640, height: int = 480, step: int = 8) -> Reconstruction:
    """A Reconstruction as an engine leaves it, in the upright world."""
    cameras = ring(count, 6, 1.6, arc=60)
    views = tuple(seen(camera, f"{index}.jpg", width, height, step) for index, camera in enumerate(cameras))
    return Reconstruction(views, "test", report={"engine": {"seconds": 1.5}})


class Parts:
    """What worlds are made of, for tests that cannot import this file by name."""

    camera_at = staticmethod(camera_at)
    ring = staticmethod(ring)
    row = staticmethod(row)
    ground = staticmethod(ground)
    wall = staticmethod(wall)
    clutter = staticmethod(clutter)
    seen = staticmethod(seen)
    courtyard = staticmethod(courtyard)


@pytest.fixture(scope="session")
def parts() -> type[Parts]:
    return Parts
