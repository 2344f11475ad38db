"""Cameras and depth in photo pixels: known scenes come back, senseless numbers are met with a sentence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.engines.vggt.framing import MODES, Framing, Mode, frame_photos
from vggt_addon.engines.vggt.photo_cameras import PhotoCamera, PhotoCameras, decode, photo_depth
from vggt_addon.engines.vggt.preprocess import load_inputs
from vggt_addon.errors import EngineError
from vggt_addon.geometry.projection import camera_center, inverse_rigid, project, transform
from vggt_addon.photos.read import probe

Float = NDArray[np.float64]
# Mixed: landscape, portrait, square, long, tall, small and large; each with its own focal length, in photo pixels.
SIZES = [(4000, 3000), (3000, 4000), (1500, 1000), (900, 900), (1803, 601), (667, 2001), (12_000, 9000), (64, 48)]
FOCALS = [3100.0, 3100.0, 1800.0, 500.0, 1500.0, 2400.0, 7000.0, 70.0]
NAMES = [f"{number}.jpg" for number in range(len(SIZES))]


def rotation(axis_angle: Float) -> Float:
    """Rodrigues' formula: independent of quaternions."""
    angle = float(np.linalg.norm(axis_angle))
    if angle == 0:
        return np.eye(3)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def encode(axis_angle: Float, translation: Float, focal: float, framing: Framing, length: float = 1.3) -> Float:
    """What a network without error says of a photo of `focal`: the fields of view are of its whole input."""
    angle = float(np.linalg.norm(axis_angle))
    axis = axis_angle / angle if angle else np.array([0.0, 0.0, 1.0])
    quaternion = length * np.append(axis * np.sin(angle / 2), np.cos(angle / 2))
    corner, opposite = framing.photo_from_input @ [0, 0, 1], framing.photo_from_input
    extent = (opposite @ [framing.input_width, framing.input_height, 1] - corner)[:2]  # photo pixels
    fields = 2 * np.arctan(extent / 2 / focal)
    return np.concatenate([translation, quaternion, fields[::-1]])


def poses(count: int) -> tuple[Float, Float]:
    generator = np.random.default_rng(11)
    return generator.uniform(-0.5, 0.5, (count, 3)), generator.uniform(-1, 1, (count, 3))


def encode_all(framings: list[Framing]) -> Float:
    turns, shifts = poses(len(framings))
    return np.stack([encode(*entry) for entry in zip(turns, shifts, FOCALS, framings, strict=True)])


def known_camera(index: int) -> tuple[Float, Float]:
    """Intrinsics of the photo and camera_from_world of photo `index`."""
    turns, shifts = poses(len(SIZES))
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = rotation(turns[index]), shifts[index]
    width, height = SIZES[index]
    return np.array([[FOCALS[index], 0, width / 2], [0, FOCALS[index], height / 2], [0, 0, 1]]), camera_from_world


def placed(cameras: PhotoCameras) -> list[PhotoCamera]:
    assert None not in cameras.cameras
    return [camera for camera in cameras.cameras if camera is not None]


@pytest.mark.parametrize("long_side", [518, 336])
@pytest.mark.parametrize("mode", MODES)
def test_known_points_project_to_their_photo_pixels(mode: Mode, long_side: int) -> None:
    framings = frame_photos(SIZES, mode, long_side=long_side)
    decoded = decode(encode_all(framings), framings, NAMES)
    points = np.random.default_rng(2).uniform(-1, 1, (500, 3)) * [3, 3, 2] + [0, 0, 6]
    for index, camera in enumerate(placed(decoded)):
        intrinsics, camera_from_world = known_camera(index)
        wanted, _ = project(intrinsics, camera_from_world, points)
        found, _ = project(camera.intrinsics, camera.camera_from_world, points)
        inside = ((wanted > 0) & (wanted < SIZES[index])).all(axis=1)
        assert inside.sum() > 20
        np.testing.assert_allclose(found[inside], wanted[inside], rtol=0, atol=1e-6)
        assert camera.pixel_aspect == pytest.approx(1.0, abs=1e-9)
        assert (camera.focal_source, camera.focal_uncertain) == ("network", False)
    assert not decoded.left_out and not decoded.warnings
    np.testing.assert_array_equal(decoded.world_from_network, np.eye(4))


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_dot_in_a_turned_file_is_where_the_camera_sees_it(tmp_path: Path, orientation: int) -> None:
    """Through the file: a point of the scene, drawn as a spot in an upright photo that is stored turned, is found in
    the network's input; taken from there to the photo it is within 0.05 px of its projection by the decoded camera."""
    width, height, focal = 600, 900, 700.0
    point = np.array([0.31, -0.47, 2.2])
    axis_angle, shift = np.array([0.1, -0.2, 0.05]), np.array([0.05, 0.02, 0.3])
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3], camera_from_world[:3, 3] = rotation(axis_angle), shift
    pixel, _ = project(np.array([[focal, 0, 300], [0, focal, 450], [0, 0, 1]]), camera_from_world, point)
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    spot = np.exp(-((columns - pixel[0]) ** 2 + (rows[:, None] - pixel[1]) ** 2) / (2 * 12.0**2))
    upright = np.rint(250 * spot).astype(np.uint8)
    stored = {1: upright, 6: np.rot90(upright, 1), 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "photo.png", exif=exif)
    photo = probe(tmp_path / "photo.png")
    framing = frame_photos([(photo.width, photo.height), (900, 600)])[0]
    image = load_inputs([photo], [framing]).images[0, ..., 0].astype(float)
    image[image == 255] = 0  # the padding
    weight = image / image.sum()
    place = [(weight.sum(0) * (np.arange(518) + 0.5)).sum(), (weight.sum(1) * (np.arange(518) + 0.5)).sum(), 1.0]
    found = (framing.photo_from_input @ place)[:2]
    (camera,) = placed(decode(encode(axis_angle, shift, focal, framing)[None], [framing], ["photo.png"]))
    np.testing.assert_allclose(found, project(camera.intrinsics, camera.camera_from_world, point)[0], rtol=0, atol=0.05)


def test_depth_of_a_plane_lies_on_the_plane() -> None:
    """Depth of a known plane in the input, unprojected by grid and decoded camera, is that plane: no half pixel off."""
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    normal, offset = np.array([0.1, -0.3, 1.0]), 6.0  # normal . X = offset
    for index, (framing, camera) in enumerate(zip(framings, placed(decode(encoding, framings, NAMES)), strict=True)):
        # The network's own view: focal lengths and middle of the input, pixel centres at +0.5.
        focal_y, focal_x = np.array([framing.input_height, framing.input_width]) / 2 / np.tan(encoding[index, 7:] / 2)
        x = (np.arange(framing.input_width) + 0.5 - framing.input_width / 2) / focal_x
        y = (np.arange(framing.input_height) + 0.5 - framing.input_height / 2) / focal_y
        rays = np.stack(np.broadcast_arrays(x, y[:, None], 1.0), axis=-1)
        world_from_camera = inverse_rigid(known_camera(index)[1])
        depth = (offset - normal @ world_from_camera[:3, 3]) / (rays @ world_from_camera[:3, :3].T @ normal)
        grid, _ = photo_depth(depth.astype(np.float32), np.full_like(depth, 2, np.float32), framing)
        rows, columns = np.indices(grid.shape) + 0.5
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ framing.photo_from_grid.T
        in_camera = pixels @ np.linalg.inv(camera.intrinsics).T * grid[..., None]
        points = transform(inverse_rigid(camera.camera_from_world), in_camera)[grid > 0]
        assert len(points) > 1000
        np.testing.assert_allclose(points @ normal, offset, rtol=1e-5)


@settings(derandomize=True, max_examples=100)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(0.01, 100), st.integers(0, len(SIZES) - 1))
def test_quaternions_of_any_length_give_the_rotation(axis_angle: list[float], length: float, index: int) -> None:
    framing = frame_photos(SIZES)[index]
    encoding = encode(np.array(axis_angle), np.zeros(3), FOCALS[index], framing, length)
    (camera,) = placed(decode(encoding[None], [framing], ["a"]))
    np.testing.assert_allclose(camera.camera_from_world[:3, :3], rotation(np.array(axis_angle)), atol=1e-9)
    assert camera.intrinsics[0, 0] == pytest.approx(FOCALS[index], rel=1e-9)


def test_two_focal_lengths_become_the_one_that_moves_pixels_least() -> None:
    (framing,) = frame_photos([(1600, 900)])
    encoding = encode(np.zeros(3), np.zeros(3), 1000.0, framing)
    across = framing.photo_from_input[0, 0] * framing.input_width
    encoding[8] = 2 * np.arctan(across / 2 / 1100.0)  # fx 1100, fy 1000
    (camera,) = placed(decode(encoding[None], [framing], ["a"]))
    assert camera.pixel_aspect == pytest.approx(1.1)
    assert camera.intrinsics[0, 0] == camera.intrinsics[1, 1]
    x, y = np.meshgrid(np.linspace(-800, 800, 201), np.linspace(-450, 450, 201))
    tried = np.linspace(1000, 1100, 1001)
    cost = [((x - f * x / 1100) ** 2 + (y - f * y / 1000) ** 2).sum() for f in tried]
    assert camera.intrinsics[0, 0] == pytest.approx(tried[int(np.argmin(cost))], abs=1.0)


def test_another_photo_as_the_reference_is_a_rigid_change() -> None:
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    plain, turned = decode(encoding, framings, NAMES), decode(encoding, framings, NAMES, reference=3)
    assert (plain.reference, turned.reference) == (0, 3)
    np.testing.assert_allclose(placed(turned)[3].camera_from_world, np.eye(4), atol=1e-12)
    points = np.random.default_rng(1).normal(size=(20, 3))
    moved = transform(turned.world_from_network, points)
    for before, after in zip(placed(plain), placed(turned), strict=True):
        in_camera = transform(before.camera_from_world, points)
        np.testing.assert_allclose(transform(after.camera_from_world, moved), in_camera, atol=1e-12)
        np.testing.assert_array_equal(before.intrinsics, after.intrinsics)
    centers = [
        camera_center(np.stack([camera.camera_from_world for camera in placed(cameras)])) for cameras in (plain, turned)
    ]
    distances = [np.linalg.norm(center[:, None] - center, axis=-1) for center in centers]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_photo_without_a_finite_pose_is_left_out_and_told(value: float) -> None:
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    encoding[0, 1] = encoding[4, 6] = value
    decoded = decode(encoding, framings, NAMES, reference=0)
    assert [entry.name for entry in decoded.left_out] == ["0.jpg", "4.jpg"]
    assert [camera is None for camera in decoded.cameras] == [index in (0, 4) for index in range(8)]
    assert decoded.reference == 1, "the first that is placed takes the reference's part"
    second = decoded.cameras[1]
    assert second is not None
    np.testing.assert_allclose(second.camera_from_world, np.eye(4), atol=1e-12)
    encoding[:, 0] = value
    with pytest.raises(EngineError, match="no position for any photo"):
        decode(encoding, framings, NAMES)


@pytest.mark.parametrize("length", [0.0, 1e-8])
def test_a_quaternion_near_zero_names_the_photo(length: float) -> None:
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    encoding[5, 3:7] *= length
    with pytest.raises(EngineError, match=r"no direction of view for 5\.jpg"):
        decode(encoding, framings, NAMES)


@pytest.mark.parametrize("field", [0.0, np.radians(0.9), np.radians(176.0), 7.0, -0.5, np.nan, np.inf])
def test_a_senseless_field_of_view_is_replaced_and_told(field: float) -> None:
    framings = frame_photos(SIZES[:4])
    encoding = np.stack([encode(np.zeros(3), np.zeros(3), f, g) for f, g in zip(FOCALS, framings, strict=False)])
    encoding[1, 7:] = field  # both
    encoding[2, 7] = field  # vertical alone
    encoding[3, 8] = field  # horizontal alone
    decoded = decode(encoding, framings, NAMES[:4])
    focal = [camera.intrinsics[0, 0] for camera in placed(decoded)]
    np.testing.assert_allclose(focal, [3100, 3100, 1800, 500])  # the second's long side is the first's
    assert [camera.focal_uncertain for camera in placed(decoded)] == [False, True, True, True]
    assert all(camera.pixel_aspect == 1 for camera in placed(decoded)[1:])
    (warning,) = decoded.warnings
    assert "1.jpg, 2.jpg, 3.jpg" in warning
    encoding[:, 7:] = field
    with pytest.raises(EngineError, match="no field of view for any photo"):
        decode(encoding, framings, NAMES[:4])
    known = decode(encoding, framings, NAMES[:4], known_focals=[None, 1000.0, None, None])
    np.testing.assert_allclose([camera.intrinsics[0, 0] for camera in placed(known)], [1000, 1000, 375, 225])
    assert [camera.focal_source for camera in placed(known)] == ["network", "given", "network", "network"]


def test_what_stands_in_for_a_field_of_view_comes_from_photos_that_have_both() -> None:
    framings = frame_photos([(4000, 3000)] * 4)
    encoding = np.stack([encode(np.zeros(3), np.zeros(3), f, framings[0]) for f in (3000.0, 900.0, 800.0, 3000.0)])
    encoding[1:3, 7] = 0
    encoding[3, 7:] = 0
    focal = [camera.intrinsics[0, 0] for camera in placed(decode(encoding, framings, NAMES[:4]))]
    assert focal == pytest.approx([3000, 900, 800, 3000])


def test_a_known_focal_length_is_held_and_the_rest_stays() -> None:
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    free = placed(decode(encoding, framings, NAMES))
    decoded = decode(encoding, framings, NAMES, known_focals=[None, 3300.0, None, 800.0, *[None] * 4])
    held = placed(decoded)
    assert [camera.intrinsics[0, 0] for camera in held[:4]] == pytest.approx([3100, 3300, 1800, 800])
    assert [camera.focal_source for camera in held[:4]] == ["network", "given", "network", "given"]
    for before, after in zip(free, held, strict=True):
        np.testing.assert_array_equal(before.camera_from_world, after.camera_from_world)
        np.testing.assert_array_equal(before.intrinsics[:2, 2], after.intrinsics[:2, 2])
    (warning,) = decoded.warnings
    assert "3.jpg" in warning and "1.jpg" not in warning, "6 % is no reason to warn, 60 % is"


def test_photos_of_one_lens_share_a_robust_focal_length() -> None:
    sizes = [(4000, 3000), (3000, 4000), (2000, 1500), *[(4000, 3000)] * 4]
    framings = frame_photos(sizes)
    # The third is half the size, the fourth far off, the fifth will be senseless, and the last two have no lens.
    focals = [3000.0, 3060.0, 1520.0, 9000.0, 3000.0, 2000.0, 2200.0]
    encoding = np.stack([encode(np.zeros(3), np.zeros(3), f, g) for f, g in zip(focals, framings, strict=True)])
    encoding[4, 7:] = 0
    lenses = [*["phone"] * 5, None, None]
    decoded = decode(encoding, framings, NAMES[:7], lenses=lenses)
    expected = [3050, 3050, 1525, 3050, 3050, 2000, 2200]
    assert [c.intrinsics[0, 0] for c in placed(decoded)] == pytest.approx(expected)
    assert not any(camera.focal_uncertain for camera in placed(decoded)), "the lens is known from the others"
    assert len(decoded.warnings) == 1
    assert {camera.focal_source for camera in placed(decoded)} == {"network"}
    assert "3.jpg" in decoded.warnings[0]
    known = decode(encoding, framings, NAMES[:7], lenses=lenses, known_focals=[None, 3200.0, *[None] * 5])
    expected = [3200, 3200, 1600, 3200, 3200, 2000, 2200]
    assert [c.intrinsics[0, 0] for c in placed(known)] == pytest.approx(expected)
    assert [c.focal_source for c in placed(known)] == ["given"] * 5 + ["network"] * 2


def test_arguments_that_do_not_fit_are_refused() -> None:
    framings = frame_photos(SIZES)
    encoding = encode_all(framings)
    with pytest.raises(ValueError, match="for 8 framings"):
        decode(encoding[:7], framings, NAMES)
    with pytest.raises(ValueError, match="for 8 framings"):
        decode(encoding, framings, NAMES, lenses=["a"])
    with pytest.raises(ValueError, match="as the reference"):
        decode(encoding, framings, NAMES, reference=8)
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="focal lengths"):
            decode(encoding, framings, NAMES, known_focals=[bad, *[None] * 7])
    with pytest.raises(ValueError, match="for an input of"):
        photo_depth(np.ones((5, 5), np.float32), np.ones((5, 5), np.float32), framings[0])


# --- depth


def test_depth_is_the_photos_part_and_unknown_where_senseless() -> None:
    framing = frame_photos([(900, 600), (600, 900)])[0]
    depth = np.arange(518 * 518, dtype=np.float32).reshape(518, 518) + 1
    confidence = np.full((518, 518), 4, np.float32)
    bad = [np.nan, np.inf, -np.inf, 0.0, -1.0]
    depth[100, : len(bad)] = bad
    confidence[101, :2] = np.nan, np.inf
    along, trust = photo_depth(depth, confidence, framing)
    assert along.shape == (350, 518)
    assert along.dtype == trust.dtype == np.float32
    assert along[0, 0] == 84 * 518 + 1 and along[-1, -1] == 434 * 518
    unknown = np.zeros((350, 518), bool)
    unknown[16, :5] = unknown[17, :2] = True
    np.testing.assert_array_equal(along == 0, unknown)
    np.testing.assert_array_equal(trust, np.where(unknown, 0, np.float32(0.75)))


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.floats(1, 2.0**100, width=32), min_size=14 * 14, max_size=14 * 14))
def test_confidence_keeps_its_order_within_zero_and_one(values: list[float]) -> None:
    framing = frame_photos([(14, 14)], long_side=14)[0]
    confidence = np.array(values, np.float32).reshape(14, 14)
    _, trust = photo_depth(np.ones((14, 14), np.float32), confidence, framing)
    assert 0 <= trust.min() <= trust.max() <= 1
    assert (np.diff(trust.ravel()[np.argsort(confidence.ravel(), kind="stable")]) >= 0).all()
    assert (trust[confidence == 1] == 0).all()


def test_confidence_is_the_logistic_of_the_heads_raw_output() -> None:
    framing = frame_photos([(14, 14)], long_side=14)[0]
    raw = np.linspace(-12, 12, 196).reshape(14, 14)
    confidence = (1 + np.exp(raw)).astype(np.float32)
    _, trust = photo_depth(np.ones((14, 14), np.float32), confidence, framing)
    np.testing.assert_allclose(trust, 1 / (1 + np.exp(-raw)), atol=1e-6)
