"""Scenes with known cameras, and the pair maps that a network which is right would make of them.

A room with a sphere in it, seen from cameras on an arc inside; depth is exact, at pixel centres. Outliers are points
anywhere in a box around the pair's first camera; half of them come with a confidence near 1.
Imports numpy, torch and the package.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vggt_addon.engines.dust3r.pair_maps import OUR_CENTRE, PairMaps
from vggt_addon.engines.dust3r.pairs import Edge, complete, mirrored
from vggt_addon.geometry.projection import inverse_rigid, transform, unproject

Float = NDArray[np.float64]
ROOM = 4.0  # half of its side
BALL, RADIUS = np.array([0.3, 0.5, -0.2]), 0.9


@dataclass(frozen=True)
class Scene:
    """n cameras and what they see."""

    world_from_camera: Float  # (n, 4, 4)
    focals: tuple[float, ...]  # n, pixels
    sizes: tuple[tuple[int, int], ...]  # n times (H, W)
    depth: tuple[Float, ...]  # n times (H, W)

    @property
    def size(self) -> float:
        """The largest distance between two cameras."""
        centres = self.world_from_camera[:, :3, 3]
        return float(np.linalg.norm(centres[:, None] - centres[None], axis=-1).max())

    def world(self, picture: int) -> Float:
        """(H, W, 3)"""
        return points_at(self.world_from_camera[picture], self.focals[picture], self.depth[picture])


def points_at(world_from_camera: Float, focal: float, depth: Float) -> Float:
    """(H, W, 3) world points of a depth map, its pixel centres at +0.5."""
    height, width = depth.shape
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    pixels = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    return unproject(intrinsics, inverse_rigid(world_from_camera), pixels, depth)


def make_scene(count: int, size: tuple[int, int] = (24, 32), seed: int = 0, focals: Sequence[float] = ()) -> Scene:
    """Cameras on an arc of 100 degrees, a little shaken, that look at the ball."""
    random = np.random.default_rng(seed)
    lengths = tuple(focals) or tuple(float(size[1] * ratio) for ratio in random.uniform(0.85, 1.15, count))
    poses, depths = [], []
    for angle, focal in zip(np.radians(np.linspace(-50, 50, count)), lengths, strict=True):
        centre = np.array([3 * np.sin(angle), 0.0, -3 * np.cos(angle)]) + random.uniform(-0.3, 0.3, 3)
        forward = BALL + random.uniform(-0.4, 0.4, 3) - centre
        forward /= np.linalg.norm(forward)
        down = np.array([random.uniform(-0.1, 0.1), 1.0, 0.0])
        right = np.cross(down, forward)
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, 3] = centre
        poses.append(pose)
        depths.append(_depth(pose, focal, size))
    return Scene(np.stack(poses), lengths, (size,) * count, tuple(depths))


def _depth(pose: Float, focal: float, size: tuple[int, int]) -> Float:
    """What the camera sees first: (H, W) along its axis."""
    centre = pose[:3, 3]
    rays = points_at(pose, focal, np.ones(size)) - centre  # at depth 1
    with np.errstate(divide="ignore"):
        walls = np.where(rays > 0, (ROOM - centre) / rays, (-ROOM - centre) / rays).min(axis=-1)
    a, b = (rays**2).sum(-1), (rays * (centre - BALL)).sum(-1)
    root = b**2 - a * (((centre - BALL) ** 2).sum() - RADIUS**2)
    ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    return np.asarray(np.where(ball > 0, np.minimum(ball, walls), walls), np.float64)


def pair_maps(
    scene: Scene,
    edges: Sequence[Edge] = (),
    *,
    outliers: float = 0.0,
    seed: int = 0,
    centre: float = OUR_CENTRE,
) -> PairMaps:
    """What a right network says of `edges` (none: all pairs, both ways), each pair at a scale of its own."""
    random = np.random.default_rng(seed)
    edges = edges or mirrored(complete(len(scene.focals)))
    maps = PairMaps.empty(edges, scene.sizes, centre=centre)
    for number, edge in enumerate(edges):
        scale = np.exp(random.uniform(-0.7, 0.7))
        for side, picture in enumerate(edge):
            points = scale * transform(inverse_rigid(scene.world_from_camera[edge[0]]), scene.world(picture))
            confidence = 1 + np.exp(random.uniform(0.5, 2.5, points.shape[:2]))
            wrong = random.random(points.shape[:2]) < outliers
            points[wrong] = scale * random.uniform([-4, -4, 0.5], [4, 4, 8], (int(wrong.sum()), 3))
            unsure = wrong & (random.random(points.shape[:2]) < 0.5)
            confidence[unsure] = 1.05
            maps.put(number, side, torch.from_numpy(points).float(), torch.from_numpy(confidence).float())
    return maps


def pose_errors(found: Float, true: Float) -> tuple[float, float]:
    """Largest rotation error in degrees, and largest error of a camera's place as a share of the scene's size.

    (n, 4, 4) world from camera each, after the similarity that lays the found cameras on the true ones best.
    """
    rotations = np.einsum("nij,nkj->nik", true[:, :3, :3], found[:, :3, :3])
    u, _, vt = np.linalg.svd(rotations.sum(axis=0))
    turn = u @ vt
    ours = found[:, :3, 3] @ turn.T
    ours, theirs = ours - ours.mean(axis=0), true[:, :3, 3] - true[:, :3, 3].mean(axis=0)
    scale = (ours * theirs).sum() / (ours**2).sum()
    away = np.linalg.norm(scale * ours - theirs, axis=1).max()
    skew = np.einsum("ij,njk->nik", turn, found[:, :3, :3])
    sines = np.linalg.norm(skew - true[:, :3, :3], axis=(1, 2)) / np.sqrt(8)
    size = np.linalg.norm(theirs[:, None] - theirs[None], axis=-1).max()
    return float(np.degrees(2 * np.arcsin(sines)).max()), float(away / size)
