"""What VGGT says of cameras and depth, in the pixels of the upright original photos.

The network gives two fields of view of its whole input, whose middle it takes for the principal point; the framing maps
that to the photo (see `framing` on pixel centres). There the photo's pixels are square, so the two focal lengths become
one. It is the one that moves the content's pixels least: with a pixel at distance x, y from the middle, seen along
(x / fx, y / fy), the sum over the content of (x - f x / fx)^2 + (y - f y / fy)^2 is smallest at
f = (a^2 / fx + b^2 / fy) / (a^2 / fx^2 + b^2 / fy^2) for a content of a x b photo pixels. fx / fy is reported.

Guards. A photo whose pose is not finite is left out: nothing says where it stood. One whose pose is good but whose
field of view is senseless is kept. Where that is so along one side, the other side's focal length serves; along both,
the median of the other photos' does, in units of the long side, since the photos of a set mostly come from one lens and
are at most cropped or resized. A quaternion near zero is no rotation at all, and no trained network gives one: that is
an error.

A focal length that is imposed (known, or shared by the photos of one lens) leaves poses and depth as they are: depth is
along the optical axis and stays; the rays change, and what stands beside the axis moves by network's / imposed. Beyond
20 % that is worth a warning, because the relief then becomes narrower or wider than the other views saw it.
This module imports nothing beyond the standard library and numpy.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...geometry.projection import inverse_rigid, transform
from ...reconstruction import LeftOut
from .framing import Framing

Float = NDArray[np.float64]
MIN_FIELD = np.radians(1.0)  # radians, along a side of the input: less is a longer lens than anybody carries
MAX_FIELD = np.radians(175.0)  # radians: a pinhole camera ends at 180 degrees
_MIN_QUATERNION = 1e-6  # length; trained networks give about 1
_WORTH_WARNING = 0.2  # share by which an imposed focal length differs from the network's


@dataclass(frozen=True)
class PhotoCamera:
    """One photo's camera: what `View` and `SolveReport` take."""

    camera_from_world: Float  # (4, 4) rigid, OpenCV axes
    intrinsics: Float  # (3, 3) pixels of the upright photo, centres at +0.5, fx = fy
    focal_source: str  # "network" or "given": see SolveReport
    focal_uncertain: bool  # True where the network's field of view was senseless along one side or both
    pixel_aspect: float  # the network's fx / fy in photo pixels; 1 where one of them was senseless


@dataclass(frozen=True)
class PhotoCameras:
    """The cameras of all S photos."""

    cameras: tuple[PhotoCamera | None, ...]  # S; None for those left out
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]  # sentences for the artist
    reference: int  # the photo in whose frame the world is: as asked for, or the first that was placed
    world_from_network: Float  # (4, 4) rigid: takes the point head's points to the cameras' world


@dataclass(frozen=True)
class _Seen:
    """One photo's focal length as the network has it."""

    focal: float | None  # photo pixels; None where both fields of view are senseless
    aspect: float  # fx / fy; 1 where one of them is senseless
    complete: bool  # both fields of view make sense


@dataclass(frozen=True)
class _Focal:
    """One photo's focal length as its camera gets it."""

    pixels: float  # photo pixels
    source: str  # "network" or "given"
    uncertain: bool  # neither imposed nor wholly the network's own


def decode(
    pose_encoding: Float,
    framings: Sequence[Framing],
    names: Sequence[str],
    *,
    known_focals: Sequence[float | None] | None = None,
    lenses: Sequence[Hashable] | None = None,
    reference: int | None = None,
) -> PhotoCameras:
    """Cameras in photo pixels from pose encodings (S, 9) float64: translation, quaternion x y z w, fields of view
    (vertical, horizontal; radians, of the input); camera from world, OpenCV axes.

    `names` are for messages. `known_focals`: photo pixels, None where not known. `lenses`: photos with equal entries
    share one focal length, the median of their known ones, else of the network's, in units of the long side; None
    shares with nobody. `reference`: the photo whose camera becomes the world; None leaves the network's world, which is
    close to the first camera's. If that photo is left out, the first that is placed takes its part.
    Raises EngineError where a quaternion is near zero, or where no photo has a position or none a field of view;
    ValueError for arguments that do not fit each other.
    """
    count = len(framings)
    lists = [len(entries) for entries in (names, known_focals, lenses) if entries is not None]
    if not count or pose_encoding.shape != (count, 9) or any(length != count for length in lists):
        raise ValueError(f"pose encodings {pose_encoding.shape} and lists of {lists} for {count} framings")
    if reference is not None and not 0 <= reference < count:
        raise ValueError(f"photo {reference} of {count} as the reference")
    encoding = np.asarray(pose_encoding, np.float64)
    poses = {i: _pose(encoding[i], names[i]) for i in range(count) if np.isfinite(encoding[i, :7]).all()}
    if not poses:
        sentence = "VGGT gave no position for any photo: check the weights, or use float32 precision."
        raise EngineError(sentence, f"pose encoding {encoding.tolist()}")
    first = reference if reference in poses else min(poses)
    world_from_network = np.eye(4) if reference is None else poses[first]
    seen = {i: _seen(encoding[i, 7:], framings[i]) for i in poses}
    focals = _focals(seen, framings, known_focals, lenses)
    cameras = [
        PhotoCamera(
            camera_from_world=poses[i] @ inverse_rigid(world_from_network),
            intrinsics=_intrinsics(focals[i].pixels, framings[i]),
            focal_source=focals[i].source,
            focal_uncertain=focals[i].uncertain,
            pixel_aspect=seen[i].aspect,
        )
        if i in poses
        else None
        for i in range(count)
    ]
    left_out = [LeftOut(names[i], "VGGT found no place for it.") for i in range(count) if i not in poses]
    warnings = _warnings(seen, focals, names)
    return PhotoCameras(tuple(cameras), tuple(left_out), warnings, first, world_from_network)


def photo_depth(
    depth: NDArray[np.float32],
    confidence: NDArray[np.float32],
    framing: Framing,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth and confidence (H, W) of the input -> those of the photo (h, w), float32, on the framing's grid.

    Padding is dropped. Depth stays in the network's unit along the axis. The network's confidence c, from 1 up, becomes
    1 - 1/c in [0, 1], 0 where c is 1. c is 1 + exp(x) of the head's raw output x, so this is x's logistic function,
    without a constant to choose; it grows with c, and a pixel's value depends on no other pixel and on no other photo,
    so one threshold means the same in every capture. Where depth is no positive finite number, or confidence not
    finite, both become 0: unknown; likewise where `mask` (h, w) is False, since the photo shows nothing there.
    Raises ValueError where a map is not of the input's size.
    """
    size = (framing.input_height, framing.input_width)
    if depth.shape != size or confidence.shape != size:
        raise ValueError(f"depth {depth.shape} and confidence {confidence.shape} for an input of {size}")
    along, trust = depth[framing.content], confidence[framing.content].astype(np.float64)
    known = np.isfinite(along) & (along > 0) & np.isfinite(trust)
    if mask is not None:
        known &= mask
    return np.where(known, along, 0).astype(np.float32), _share_of_trust(np.where(known, trust, 1.0))


def photo_points(
    points: NDArray[np.float32],
    confidence: NDArray[np.float32],
    framing: Framing,
    world_from_network: Float,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[Float, NDArray[np.float32], NDArray[np.int64]]:
    """The point head's points (H, W, 3) and confidence (H, W) of the input -> those of the photo: m of them.

    Positions (m, 3) in the cameras' world, confidence (m,) as `photo_depth` has it, and where each stands on the
    framing's grid: flat index (m,), ascending. Padding, what is not finite, and what `mask` (h, w) leaves out is
    dropped. Raises ValueError where a map is not of the input's size.
    """
    size = (framing.input_height, framing.input_width)
    if points.shape != (*size, 3) or confidence.shape != size:
        raise ValueError(f"points {points.shape} and confidence {confidence.shape} for an input of {size}")
    at, trust = points[framing.content], confidence[framing.content].astype(np.float64)
    known = np.isfinite(at).all(axis=-1) & np.isfinite(trust)
    if mask is not None:
        known &= mask
    pixel = np.flatnonzero(known)
    positions = transform(world_from_network, at[known].astype(np.float64))
    return positions, _share_of_trust(trust[known]), pixel


def _share_of_trust(trust: Float) -> NDArray[np.float32]:
    """The network's confidence c, from 1 up, as 1 - 1/c."""
    above_one = np.maximum(trust, 1.0)
    return np.asarray((above_one - 1) / above_one, np.float32)


def _pose(encoding: Float, name: str) -> Float:
    """camera_from_world (4, 4) of one finite encoding."""
    length = float(np.linalg.norm(encoding[3:7]))
    if length < _MIN_QUATERNION:
        sentence = f"VGGT gave no direction of view for {name}: the weights are damaged or not VGGT's; load them again."
        raise EngineError(sentence, f"quaternion {encoding[3:7].tolist()}")
    x, y, z, w = encoding[3:7] / length
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = encoding[:3]
    return pose


def _seen(fields: Float, framing: Framing) -> _Seen:
    """The focal length that fits a photo's fields of view (vertical, horizontal) best; see the module."""
    scale = framing.photo_from_input
    sensible = (fields >= MIN_FIELD) & (fields <= MAX_FIELD)  # NaN is neither
    sides = np.array([framing.input_height * scale[1, 1], framing.input_width * scale[0, 0]])  # photo pixels
    fy, fx = (float(focal) for focal in sides / 2 / np.tan(np.where(sensible, fields, 1.0) / 2))
    if not sensible.all():
        return _Seen((fy if sensible[0] else fx) if sensible.any() else None, 1.0, False)
    rows, columns = framing.grid_shape
    across, down = (columns * scale[0, 0]) ** 2, (rows * scale[1, 1]) ** 2
    return _Seen(float((across / fx + down / fy) / (across / fx**2 + down / fy**2)), fx / fy, True)


def _focals(
    seen: Mapping[int, _Seen],
    framings: Sequence[Framing],
    known_focals: Sequence[float | None] | None,
    lenses: Sequence[Hashable] | None,
) -> dict[int, _Focal]:
    """Every placed photo's focal length: the known one, or its lens's, or its own, or the other photos'."""
    long_sides = [max(framing.photo_width, framing.photo_height) for framing in framings]
    known = {i: focal / long_sides[i] for i, focal in enumerate(known_focals or ()) if focal is not None}
    if not all(0 < ratio < np.inf for ratio in known.values()):
        raise ValueError(f"focal lengths {known_focals}")
    own = {i: one.focal / long_sides[i] for i, one in seen.items() if one.focal is not None}
    whole = {i: ratio for i, ratio in own.items() if seen[i].complete}
    typical = list((whole or own or known).values())
    if not typical:
        raise EngineError("VGGT gave no field of view for any photo: give their focal length, or check the weights.")
    focals: dict[int, _Focal] = {}
    for i in seen:
        mates = [j for j, lens in enumerate(lenses) if lens == lenses[i]] if lenses and lenses[i] is not None else []
        given = [known[i]] if i in known else [known[j] for j in mates if j in known]
        shared = [whole[j] for j in mates if j in whole]
        ratios = given or shared or ([own[i]] if i in own else typical)
        uncertain = not (given or shared or i in whole)
        focals[i] = _Focal(float(np.median(ratios)) * long_sides[i], "given" if given else "network", uncertain)
    return focals


def _intrinsics(focal: float, framing: Framing) -> Float:
    """(3, 3) with the middle of the input, in photo pixels, as the principal point."""
    middle = framing.photo_from_input @ [framing.input_width / 2, framing.input_height / 2, 1.0]
    return np.array([[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]])


def _warnings(seen: Mapping[int, _Seen], focals: Mapping[int, _Focal], names: Sequence[str]) -> tuple[str, ...]:
    warnings = []
    guessed = [names[i] for i in seen if focals[i].uncertain]
    if guessed:
        warnings.append(
            f"VGGT gave no sensible field of view for {_listed(guessed)}: the focal length there is a guess "
            "from the other side of the photo, or from the other photos."
        )
    # Whether longer or shorter: how many times.
    change = {i: focals[i].pixels / own for i, one in seen.items() if one.complete and (own := one.focal)}
    far = [names[i] for i, times in change.items() if max(times, 1 / times) > 1 + _WORTH_WARNING]
    if far:
        warnings.append(
            f"The focal length set for {_listed(far)} differs by more than {_WORTH_WARNING:.0%} from what VGGT sees: "
            "depth is kept, so the relief becomes narrower or wider there. Check the focal length."
        )
    return tuple(warnings)


def _listed(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
