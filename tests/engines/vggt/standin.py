"""A network that is right: photos that say where each of their pixels is, and the exact answer for what it sees of it.

Red and green of a photo rise evenly along x and y, blue names the photo. So the stand-in reads from the pixels that it
is given which photo stands where, and at what scale, and answers with the true camera and depth in its own input. What
the engine makes of that must be the true camera in the photo's pixels; nothing of the engine's own maps is used here.
Imports torch, Pillow, numpy and the package's projection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from vggt_addon.engines.layers.chunks import Chunks, OnStep
from vggt_addon.engines.vggt.output import VggtOutput
from vggt_addon.geometry.projection import camera_center, unproject

Float = NDArray[np.float64]
LOW, RANGE = 20.0, 200.0  # levels: of red and green at the photo's first edge, and from there to its last
RECORD = {"name": "stand-in", "sha256": "5" * 64, "licence": "CC0 1.0"}
STEPS = 12
BESIDE = 123.0  # depth that it gives where it sees no photo


@dataclass(frozen=True)
class Shot:
    """A photo with its true camera. The principal point is the photo's middle."""

    name: str
    width: int  # pixels, upright
    height: int  # pixels, upright
    focal: float  # pixels
    camera_from_world: Float  # (4, 4)
    blue: int  # level that names the photo
    orientation: int = 1  # EXIF: 1 or 6
    hole: tuple[int, int, int, int] | None = None  # left, top, right, bottom in pixels: transparent
    millimetres: int | None = None  # EXIF: 35 mm equivalent

    @property
    def intrinsics(self) -> Float:
        """(3, 3) photo pixels, centres at +0.5."""
        return np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1]])

    def write(self, folder: Path) -> Path:
        """The file, stored as its orientation says."""
        x, y = (np.arange(self.width) + 0.5) / self.width, (np.arange(self.height) + 0.5) / self.height
        levels = np.full((self.height, self.width, 4), self.blue, np.uint8)
        # Without noise, whole levels would be steps that beat with the input's raster and shift what is read.
        noise = np.random.default_rng(self.blue).uniform(-1, 1, (2, self.height, self.width))
        levels[..., 0] = np.rint(LOW + RANGE * x + noise[0])
        levels[..., 1] = np.rint(LOW + RANGE * y[:, None] + noise[1])
        levels[..., 3] = 255
        if self.hole:
            left, top, right, bottom = self.hole
            levels[top:bottom, left:right, 3] = 0
        image = Image.fromarray(levels) if self.hole else Image.fromarray(levels).convert("RGB")
        exif = Image.Exif()
        if self.orientation == 6:
            exif[ExifTags.Base.Orientation] = 6
            image = image.transpose(Image.Transpose.ROTATE_90)  # what turning by 270 degrees sets right
        if self.millimetres:
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = self.millimetres
        path = folder / self.name
        if path.suffix == ".jpg":
            image.save(path, exif=exif, quality=97, subsampling=0)
        else:
            image.save(path, exif=exif)
        return path

    def surface_depth(self, pixels: Float) -> Float:
        """True depth along the axis at photo pixels (..., 2): the ground z = 0, or a wall that leans behind it."""
        center = camera_center(self.camera_from_world)
        rays = unproject(self.intrinsics, self.camera_from_world, pixels, np.ones(pixels.shape[:-1])) - center
        depths = []
        for normal, offset in SURFACES:
            along = rays @ normal
            with np.errstate(divide="ignore"):
                depth = (offset - center @ normal) / along
            depths.append(np.where(depth > 0, depth, np.inf))
        return np.asarray(np.minimum(*depths))


WALL = np.array([0.1, 0.97, 0.2])
SURFACES = ((np.array([0.0, 0.0, 1.0]), 0.0), (WALL, 4.0))  # normal, offset: points with normal . p = offset


def off_surface(points: Float) -> Float:
    """How far points (..., 3) are from the nearer of the two planes, world units."""
    return np.asarray(np.minimum(*(np.abs(points @ n - offset) / np.linalg.norm(n) for n, offset in SURFACES)))


def pose(azimuth: float, height: float, roll: float = 0.0) -> Float:
    """camera_from_world of a camera that looks at the foot of the wall; angles in degrees."""
    angle = np.radians(azimuth)
    center = np.array([4 * np.sin(angle), 4 - 4.5 * np.cos(angle), height])
    forward = np.array([0.0, 3.8, 0.3]) - center
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    turn = np.radians(roll)
    rolled = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = rolled @ rotation
    matrix[:3, 3] = -matrix[:3, :3] @ center
    return matrix


SHOTS = (
    Shot("a_wide.jpg", 900, 600, 800.0, pose(-30, 1.4), 40, millimetres=30),
    Shot("b_held_upright.jpg", 600, 900, 850.0, pose(-12, 1.6, 3), 80, orientation=6, millimetres=36),
    Shot("c_odd.png", 601, 899, 700.0, pose(0, 1.2), 120),
    Shot("d_cut_out.png", 800, 600, 650.0, pose(15, 1.5, -4), 160, hole=(100, 50, 333, 421)),
    Shot("e_strip.png", 1300, 430, 1000.0, pose(33, 1.8), 200),
)


def quaternion(rotation: Float) -> Float:
    """x y z w of a rotation (3, 3) by less than 180 degrees."""
    w = float(np.sqrt(1 + np.trace(rotation)) / 2)
    skew = rotation - rotation.T
    parts: list[float] = [skew[2, 1], skew[0, 2], skew[1, 0], 4 * w**2]
    return np.array(parts) / (4 * w)


def encode(camera_from_world: Float, focal: float, photo_from_input: Float, size: tuple[int, int]) -> Float:
    """(9,) what the network says of a camera whose photo lies so in an input of `size` (H, W) pixels."""
    sides = np.array([size[0] * photo_from_input[1, 1], size[1] * photo_from_input[0, 0]])  # photo pixels
    fields = 2 * np.arctan(sides / 2 / focal)
    parts = [camera_from_world[:3, 3], quaternion(camera_from_world[:3, :3]), fields]
    return np.asarray(np.concatenate(parts), np.float64)


def output(encoding: Float, depth: Float, confidence: Float, points: Float | None = None) -> VggtOutput:
    """(S, 9), (S, H, W), (S, H, W), and (S, H, W, 4) of the point head, confidence last, as the network hands them
    over; of earlier rounds there is nonsense."""
    rounds = np.stack([np.full_like(encoding, 0.25), encoding])[:, None]
    said = [torch.from_numpy(values.astype(np.float32)) for values in (rounds, depth[None], confidence[None])]
    if points is None:
        return VggtOutput(said[0], said[1], said[2], None, None, None)
    cloud = torch.from_numpy(points[None].astype(np.float32))
    return VggtOutput(said[0], said[1], said[2], cloud[..., :3], cloud[..., 3], None)


@dataclass
class StandIn:
    """Called as `run.Network`. `tamper` may change (S, 9) encodings and (S, H, W) depth before they are handed over."""

    folder: Path  # where the shots were written
    shots: Sequence[Shot] = SHOTS
    tamper: Callable[[Float, Float], None] = lambda encoding, depth: None
    spoil_points: Callable[[Float], None] | None = (
        None  # given: it has a point head, whose (S, H, W, 4) this may change
    )
    seen: list[str] = field(default_factory=list)  # names of the photos, in the order in which they were handed over

    def __call__(self, images: torch.Tensor, chunks: Chunks, on_step: OnStep) -> VggtOutput:
        assert images.dtype == torch.uint8 and images.ndim == 5 and len(images) == 1
        pictures = images[0].permute(0, 2, 3, 1).numpy().astype(np.float64)
        answers = [self._answer(picture) for picture in pictures]
        for _ in range(STEPS):
            on_step()
        encoding, depth, confidence, points = (np.stack(part) for part in zip(*answers, strict=True))
        self.tamper(encoding, depth)
        if self.spoil_points is None:
            return output(encoding, depth, confidence)
        self.spoil_points(points)
        return output(encoding, depth, confidence, points)

    def _answer(self, picture: Float) -> tuple[Float, Float, Float, Float]:
        size = (picture.shape[0], picture.shape[1])
        counts = [int((np.abs(picture[..., 2] - shot.blue) <= 4).sum()) for shot in self.shots]
        shot = self.shots[int(np.argmax(counts))]
        self.seen.append(shot.name)
        shown = np.abs(picture[..., 2] - shot.blue) <= 4
        photo_from_input = self._seen_map(picture, _inner(shown, 6), shot)
        rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
        pixels = np.stack([columns, rows, np.ones(size)], axis=-1) @ photo_from_input.T
        inside = ((pixels[..., :2] >= 0) & (pixels[..., :2] <= (shot.width, shot.height))).all(axis=-1)
        depth = np.where(inside, shot.surface_depth(pixels[..., :2]), BESIDE)
        points = unproject(shot.intrinsics, shot.camera_from_world, pixels[..., :2], depth)
        said = np.concatenate([points, point_trust(shot, pixels)[..., None]], axis=-1)
        return encode(shot.camera_from_world, shot.focal, photo_from_input, size), depth, trust(shot, pixels), said

    def _seen_map(self, picture: Float, where: NDArray[np.bool_], shot: Shot) -> Float:
        """photo_from_input (3, 3), read from the levels of the pixels `where`. Turned or sheared photos are refused."""
        with Image.open(self.folder / shot.name) as image:  # the levels as they came out of the file's compression
            stored = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), np.float64)
        in_file, in_input = _slopes(stored, stored[..., 3] == 255), _slopes(picture, where)
        found = np.eye(3)
        for axis in (0, 1):
            across = in_input[axis, 1 - axis] / in_input[axis, axis]
            assert abs(across) < 1e-3, f"{shot.name} is turned"
            scale = in_input[axis, axis] / in_file[axis, axis]
            assert scale > 0, f"{shot.name} is mirrored"
            found[axis, axis] = scale
            found[axis, 2] = (in_input[axis, 2] - in_file[axis, 2]) / in_file[axis, axis]
        return found


def trust(shot: Shot, pixels: Float) -> Float:
    """The network's confidence at photo pixels (..., 2 or 3): from 1 at the photo's left to 9 at its right."""
    return np.asarray(1 + 8 * np.clip(pixels[..., 0] / shot.width, 0, 1))


def point_trust(shot: Shot, pixels: Float) -> Float:
    """The point head's confidence: from 1 at the photo's top to 5 at its bottom."""
    return np.asarray(1 + 4 * np.clip(pixels[..., 1] / shot.height, 0, 1))


def _inner(mask: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    """`mask` without what is nearer than `margin` pixels to its edge, where resampling mixes."""
    padded = np.pad(mask, margin)
    for axis in (0, 1):
        padded = np.logical_and.reduce([np.roll(padded, by, axis) for by in range(-margin, margin + 1)])
    return padded[margin:-margin, margin:-margin]


def _slopes(levels: Float, where: NDArray[np.bool_]) -> Float:
    """(2, 3): of red and of green, levels per pixel along x and along y, and the level at (0, 0); centres at +0.5."""
    rows, columns = np.nonzero(where)
    design = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)
    return np.asarray(np.linalg.lstsq(design, levels[..., :2][where], rcond=None)[0].T)
