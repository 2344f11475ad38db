"""The engine, end to end on a stand-in network that gives the exact answer for a scene with known cameras."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.engines.vggt import engine
from vggt_addon.engines.vggt.config import FULL
from vggt_addon.engines.vggt.load import HEADS, Loaded, weights_memory
from vggt_addon.engines.vggt.plan import Request, plans
from vggt_addon.errors import Cancelled, EngineError, PhotoError
from vggt_addon.geometry.projection import grid_pixels, project, unproject
from vggt_addon.photos.gather import gather
from vggt_addon.photos.photo import Photo
from vggt_addon.progress import Cancel, Progress, never, no_progress
from vggt_addon.reconstruction import Reconstruction, View
from vggt_addon.settings import EngineSettings, NetworkSettings

Float = NDArray[np.float64]
LIMIT = 0.05  # photo pixels


@pytest.fixture(scope="module")
def standin(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("engines/vggt/standin.py")


@pytest.fixture(scope="module")
def folder(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five photos: landscape, upright by its EXIF alone, of odd sides, with a hole, a strip."""
    made = tmp_path_factory.mktemp("photos")
    for shot in standin.SHOTS:
        shot.write(made)
    return made


@pytest.fixture(scope="module")
def photos(folder: Path) -> tuple[Photo, ...]:
    return gather([folder]).photos


@pytest.fixture(scope="module", autouse=True)
def roomy() -> Iterator[None]:
    """A processor with room for the whole network, however little there is; its speed is not measured each time."""
    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_device", lambda name, allowed: device)
        patch.setattr(engine, "known_speed", lambda *_: Speed(1e11, 1e11, 1e11))
        yield


@dataclass
class Asked:
    """A run's answer, and what was seen on the way."""

    result: Reconstruction
    network: Any
    workspace: Path


@pytest.fixture(scope="module")
def ask(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Asked]:
    """Run the engine on photos in a folder; keywords are NetworkSettings' but for those of the run itself."""

    def run(
        photos: Sequence[Photo],
        shots: Sequence[Any] = standin.SHOTS,
        tamper: Any = lambda encoding, depth: None,
        progress: Progress = no_progress,
        cancel: Cancel = never,
        reference: str = "",
        **settings: Any,
    ) -> Asked:
        network = standin.StandIn(photos[0].path.parent, shots, tamper)
        made = engine.VggtEngine(lambda *_: Loaded(network, standin.RECORD))
        workspace = tmp_path_factory.mktemp("workspace")
        every = EngineSettings(threads=1, reference=reference, network=NetworkSettings(device="cpu", **settings))
        return Asked(made.reconstruct(photos, workspace, every, progress, cancel), network, workspace)

    return run


@pytest.fixture(scope="module")
def solved(ask: Callable[..., Asked], photos: tuple[Photo, ...]) -> Asked:
    """The five photos, nothing asked for."""
    return ask(photos)


@pytest.fixture(scope="module")
def pair(standin: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, tuple[Photo, ...]]:
    """Two small photos, which are looked at in a moment: their shots, and themselves."""
    shots = [
        dataclasses.replace(shot, name=f"{shot.blue}.png", width=240, height=180, focal=200.0, orientation=1, hole=None)
        for shot in standin.SHOTS[:2]
    ]
    folder = tmp_path_factory.mktemp("pair")
    return shots, gather([shot.write(folder) for shot in shots]).photos


def grid(view: View) -> Float:
    assert view.photo_from_grid is not None and view.depth is not None
    return grid_pixels(view.photo_from_grid, *view.depth.shape)


def errors_in_pixels(view: View, shot: Any) -> Float:
    """How far 500 points of the surface, seen anywhere in the photo, are projected from where they are seen."""
    pixels = np.random.default_rng(shot.blue).uniform(0, 1, (500, 2)) * [shot.width, shot.height]
    points = unproject(shot.intrinsics, shot.camera_from_world, pixels, shot.surface_depth(pixels))
    return np.asarray(np.linalg.norm(project(view.intrinsics, view.camera_from_world, points)[0] - pixels, axis=-1))


def off_the_surface(standin: ModuleType, view: View) -> Float:
    """Distance of every measured grid pixel from the known surface, as a share of its depth."""
    assert view.depth is not None
    points = unproject(view.intrinsics, view.camera_from_world, grid(view), view.depth.astype(np.float64))
    known = view.depth > 0
    return np.asarray(standin.off_surface(points[known]) / view.depth[known])


# --- cameras


def test_known_points_project_to_the_photos_pixels(standin: ModuleType, solved: Asked) -> None:
    for view, shot in zip(solved.result.views, standin.SHOTS, strict=True):
        assert errors_in_pixels(view, shot).max() < LIMIT, view.name
        np.testing.assert_allclose(view.camera_from_world, shot.camera_from_world, atol=2e-6)
        np.testing.assert_allclose(view.intrinsics, shot.intrinsics, rtol=1e-4, atol=LIMIT)
        assert view.intrinsics[0, 0] == view.intrinsics[1, 1]
        assert view.report.pixel_aspect == pytest.approx(1, abs=3e-4), "the scene's pixels are square"


@pytest.mark.parametrize("framing", ["crop", "pad"])
def test_the_published_framings_give_the_same_cameras(
    standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...], framing: str
) -> None:
    views = ask(photos, framing=framing).result.views
    for view, shot in zip(views, standin.SHOTS, strict=True):
        assert errors_in_pixels(view, shot).max() < LIMIT, view.name
        assert off_the_surface(standin, view).max() < 1e-3
    heights = [float(np.ptp(grid(view)[..., 1]) / view.height) for view in views]
    assert (min(heights) < 0.7) == (framing == "crop"), "only that one loses rows of upright photos"


def test_no_pixel_is_lost(solved: Asked) -> None:
    for view in solved.result.views:
        assert view.photo_from_grid is not None and view.depth is not None
        height, width = view.depth.shape
        corners = view.photo_from_grid @ [[0, width], [0, height], [1, 1]]
        np.testing.assert_allclose(corners[:2], [[0, view.width], [0, view.height]], atol=1e-9)
        assert max(height, width) == 518


def test_a_smaller_input_gives_the_same_cameras(
    standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...]
) -> None:
    for view, shot in zip(ask(photos, input_size=252).result.views, standin.SHOTS, strict=True):
        assert view.depth is not None and max(view.depth.shape) == 252
        assert errors_in_pixels(view, shot).max() < 2 * LIMIT, "what the stand-in reads is as much coarser"


def test_one_photo_alone(standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...]) -> None:
    result = ask(photos[1:2]).result
    (view,) = result.views
    assert view.name == "b_held_upright.jpg" and result.reference == 0
    assert errors_in_pixels(view, standin.SHOTS[1]).max() < LIMIT
    assert off_the_surface(standin, view).max() < 1e-3


# --- what stands on the grid


def test_depth_stands_on_the_surface(standin: ModuleType, solved: Asked) -> None:
    for view in solved.result.views:
        assert off_the_surface(standin, view).max() < 1e-3, view.name


def test_depth_is_unknown_where_the_photo_is_transparent(standin: ModuleType, solved: Asked) -> None:
    left, top, right, bottom = standin.SHOTS[3].hole
    for view in solved.result.views:
        assert view.depth is not None and view.confidence is not None
        if view.name != "d_cut_out.png":
            assert (view.depth > 0).all() and view.mask is None
            continue
        assert view.mask is not None and (view.mask == (view.depth > 0)).all()
        x, y = np.moveaxis(grid(view), -1, 0)
        beside = np.maximum.reduce([left - x, x - right, top - y, y - bottom])  # photo pixels; negative inside
        share = view.width / view.depth.shape[1]  # of the photo in one grid pixel
        assert not view.depth[beside < -share].any() and not view.confidence[beside < -share].any()
        assert (view.depth[beside > share] > 0).all()
        assert 0.15 < (view.depth == 0).mean() < 0.2


def test_confidence_is_one_minus_one_over_the_networks(standin: ModuleType, solved: Asked) -> None:
    for view, shot in zip(solved.result.views, standin.SHOTS, strict=True):
        assert view.confidence is not None and view.depth is not None
        expected = np.where(view.depth > 0, 1 - 1 / standin.trust(shot, grid(view)), 0)
        np.testing.assert_allclose(view.confidence, expected, atol=1e-3)


def test_colours_are_the_photos(standin: ModuleType, solved: Asked) -> None:
    for view, shot in zip(solved.result.views, standin.SHOTS, strict=True):
        assert view.color is not None and view.depth is not None
        shown = standin.LOW + standin.RANGE * grid(view) / [view.width, view.height]
        expected = np.concatenate([shown, np.full_like(shown[..., :1], shot.blue)], axis=-1)
        inner = view.depth > 0
        inner[:-1] &= inner[1:]
        inner[1:] &= inner[:-1]
        inner[:, :-1] &= inner[:, 1:]
        inner[:, 1:] &= inner[:, :-1]
        assert np.abs(view.color - expected)[inner].max() < 4, view.name


def test_the_picture_to_show_is_the_file_or_an_upright_copy(standin: ModuleType, solved: Asked, folder: Path) -> None:
    for view, shot in zip(solved.result.views, standin.SHOTS, strict=True):
        assert view.original == folder / shot.name
        copied = shot.name in ("b_held_upright.jpg", "d_cut_out.png")
        assert (view.photo == view.original) != copied
        assert view.photo.is_relative_to(solved.workspace) == copied
        with Image.open(view.photo) as image:
            assert image.getexif().get(0x0112, 1) == 1
            assert image.size == (view.width, view.height) == (shot.width, shot.height)
            levels = np.asarray(image.convert("RGB"), np.float64)
        assert levels[-30:, :, 1].mean() > levels[:30, :, 1].mean() + 100, "green grows downwards"
        assert levels[:, -30:, 0].mean() > levels[:, :30, 0].mean() + 100, "red grows to the right"


def test_pictures_are_no_longer_than_asked_for(standin: ModuleType, pair: Any, tmp_path: Path) -> None:
    shots, photos = pair
    network = standin.StandIn(photos[0].path.parent, shots)
    made = engine.VggtEngine(lambda *_: Loaded(network, standin.RECORD))
    asked = EngineSettings(threads=1, texture_size=120, network=NetworkSettings(device="cpu", input_size=140))
    for view, shot in zip(made.reconstruct(photos, tmp_path, asked, no_progress, never).views, shots, strict=True):
        assert view.photo.is_relative_to(tmp_path) and (view.width, view.height) == (240, 180)
        with Image.open(view.photo) as image:
            assert image.size == (120, 90)
        assert errors_in_pixels(view, shot).max() < LIMIT


def test_copies_of_photos_with_names_that_become_one_stay_apart(
    standin: ModuleType, ask: Callable[..., Asked], tmp_path: Path
) -> None:
    hole = (20, 20, 60, 60)
    names = ("a.png", "a.png.jpg")
    shots = [
        dataclasses.replace(shot, name=name, width=240, height=180, focal=200.0, orientation=orientation, hole=cut)
        for shot, name, orientation, cut in zip(standin.SHOTS, names, (1, 6), (hole, None), strict=False)
    ]
    views = ask(gather([shot.write(tmp_path) for shot in shots]).photos, shots, input_size=140).result.views
    blue = []
    for view in views:
        with Image.open(view.photo) as image:
            assert view.photo.name == "a.png.jpg" and image.size == (240, 180)
            blue.append(int(np.asarray(image)[-1, -1, 2]))
    assert blue == pytest.approx([shot.blue for shot in shots], abs=6)


# --- order, reference, record


def test_photos_keep_their_names_identities_and_order(photos: tuple[Photo, ...], solved: Asked) -> None:
    assert solved.network.seen == [photo.name for photo in photos]
    assert [view.name for view in solved.result.views] == [photo.name for photo in photos]
    assert [view.identity for view in solved.result.views] == [photo.sha256 for photo in photos]
    assert solved.result.reference == 0
    assert not solved.result.left_out and not solved.result.warnings


def test_another_reference_is_seen_first_and_changes_nothing_else(
    standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...], solved: Asked
) -> None:
    asked = ask(photos, reference="d_cut_out.png")
    names = [photo.name for photo in photos]
    assert asked.network.seen == [names[3], *names[:3], names[4]]
    assert [view.name for view in asked.result.views] == names
    assert asked.result.views[asked.result.reference].name == "d_cut_out.png"
    for view, same, shot in zip(asked.result.views, solved.result.views, standin.SHOTS, strict=True):
        assert errors_in_pixels(view, shot).max() < LIMIT
        assert (view.identity, view.original, view.width) == (same.identity, same.original, same.width)
        assert view.depth is not None and same.depth is not None and view.color is not None and same.color is not None
        np.testing.assert_allclose(view.depth, same.depth, rtol=1e-6)
        np.testing.assert_array_equal(view.color, same.color)


def test_weights_and_settings_are_recorded(standin: ModuleType, ask: Callable[..., Asked], pair: Any) -> None:
    shots, photos = pair
    result = ask(photos, shots, input_size=140, focal="shared", memory_limit=7.5).result
    assert result.engine == "vggt" and dict(result.weights or {}) == standin.RECORD
    settings = json.loads(json.dumps(dict(result.settings)))
    assert settings["engine"] == "vggt"
    asked = {"input_size": 140, "focal": "shared", "device": "cpu", "precision": "float32", "memory_limit": 7.5}
    assert asked.items() <= settings["network"].items()
    assert result.report["device"] == "the processor"
    assert result.report["network_seconds"] >= 0 and result.report["network_seconds_predicted"] > 1
    assert result.report["memory_predicted"] > 4e9 and result.report["tokens_at_a_time"] == 2048


def test_it_is_saved_and_loaded_whole(solved: Asked, tmp_path: Path) -> None:
    loaded = Reconstruction.load(solved.result.save(tmp_path / "capture"))
    assert dict(loaded.weights or {}) == dict(solved.result.weights or {})
    assert json.dumps(loaded.settings, sort_keys=True) == json.dumps(solved.result.settings, sort_keys=True)
    assert dict(loaded.report) == dict(solved.result.report)
    for view, again in zip(solved.result.views, loaded.views, strict=True):
        for name in ("intrinsics", "camera_from_world", "photo_from_grid", "depth", "confidence", "color"):
            np.testing.assert_array_equal(getattr(again, name), getattr(view, name))
        assert again.photo.read_bytes() == view.photo.read_bytes()


# --- focal lengths


def test_the_files_focal_length_is_held_where_it_says_one(
    standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...], solved: Asked
) -> None:
    result = ask(photos, focal="exif").result
    focals = [view.intrinsics[0, 0] for view in result.views]
    assert focals[:2] == pytest.approx([900 * 30 / 36, 900 * 36 / 36], rel=0.01), "of 36 mm along the long side"
    assert focals[:2] == [photo.focal_prior.pixels for photo in photos[:2] if photo.focal_prior]
    assert focals[2:] == [view.intrinsics[0, 0] for view in solved.result.views[2:]]
    assert [view.report.focal_source for view in result.views] == ["given"] * 2 + ["network"] * 3
    assert [view.report.focal_prior for view in solved.result.views] == [*focals[:2], None, None, None]


def test_a_focal_length_is_imposed_on_photos_of_any_size(
    ask: Callable[..., Asked], photos: tuple[Photo, ...], solved: Asked
) -> None:
    result = ask(photos, focal="450", reference="d_cut_out.png").result
    reference = result.views[result.reference]
    assert reference.name == "d_cut_out.png" and reference.intrinsics[0, 0] == pytest.approx(450)
    assert len({max(view.width, view.height) for view in result.views}) > 1
    for view, before in zip(result.views, solved.result.views, strict=True):
        share = max(view.width, view.height) / max(reference.width, reference.height)
        assert view.intrinsics[0, 0] == view.intrinsics[1, 1] == pytest.approx(450 * share)
        assert view.report.focal_source == "given"
        assert view.depth is not None and before.depth is not None
        np.testing.assert_allclose(view.depth, before.depth, rtol=1e-6)


def test_photos_of_one_lens_share_a_focal_length(ask: Callable[..., Asked], pair: Any) -> None:
    shots, photos = pair
    third = dataclasses.replace(photos[1], name="other.png", lens="another")
    photos = (*(dataclasses.replace(photo, lens="one") for photo in photos), third)

    def widen(encoding: Float, depth: Float) -> None:
        encoding[:, 7:] = 2 * np.arctan(np.tan(encoding[:, 7:] / 2) * [[1.0], [0.9], [0.8]])

    own = [view.intrinsics[0, 0] for view in ask(photos, shots, widen, input_size=140).result.views]
    assert own == pytest.approx([200, 200 / 0.9, 200 / 0.8], rel=2e-3)
    shared = [view.intrinsics[0, 0] for view in ask(photos, shots, widen, input_size=140, focal="shared").result.views]
    assert shared == pytest.approx([(own[0] + own[1]) / 2] * 2 + [own[2]])


# --- senseless numbers


def test_a_photo_without_a_pose_is_left_out_and_the_rest_goes_on(
    standin: ModuleType, ask: Callable[..., Asked], photos: tuple[Photo, ...]
) -> None:
    def lose(encoding: Float, depth: Float) -> None:
        encoding[0, 2] = np.nan

    result = ask(photos, tamper=lose, reference="c_odd.png").result
    (left_out,) = result.left_out
    assert left_out.name == "c_odd.png" and left_out.reason == "VGGT found no place for it."
    assert [view.name for view in result.views] == [photo.name for photo in photos if photo.name != "c_odd.png"]
    assert result.reference == 0, "the first that is left"
    for view, shot in zip(result.views, [shot for shot in standin.SHOTS if shot.name != "c_odd.png"], strict=True):
        assert errors_in_pixels(view, shot).max() < LIMIT
        assert off_the_surface(standin, view).max() < 1e-3


def test_the_reference_is_told_among_those_that_are_left(
    ask: Callable[..., Asked], pair: Any, standin: ModuleType
) -> None:
    shots, photos = pair

    def lose(encoding: Float, depth: Float) -> None:
        encoding[1, 0] = np.inf  # in the network's order: the reference, then this one

    result = ask(photos, shots, lose, input_size=140, reference=photos[1].name).result
    assert [view.name for view in result.views] == [photos[1].name]
    assert result.reference == 0


# --- files that go away during a run


def test_a_photo_that_cannot_be_read_any_more_is_left_out(
    ask: Callable[..., Asked], folder: Path, tmp_path: Path
) -> None:
    photos = gather([shutil.copytree(folder, tmp_path / "photos")]).photos
    first, second, *rest = photos
    first.path.unlink()
    second.path.write_bytes(second.path.read_bytes()[:2000])
    asked = ask(photos, input_size=140, reference=first.name)
    assert [view.name for view in asked.result.views] == [photo.name for photo in rest]
    assert [photo.name for photo in asked.result.left_out] == [first.name, second.name]
    assert "does not exist any more" in asked.result.left_out[0].reason
    assert "damaged" in asked.result.left_out[1].reason
    assert asked.network.seen == [photo.name for photo in rest], "the network ran once"


def test_a_photo_that_goes_away_while_the_network_works_is_left_out(
    ask: Callable[..., Asked], folder: Path, tmp_path: Path
) -> None:
    photos = gather([shutil.copytree(folder, tmp_path / "photos")]).photos

    def vanish(encoding: Float, depth: Float) -> None:
        photos[0].path.unlink()

    result = ask(photos, tamper=vanish, input_size=140).result
    assert [view.name for view in result.views] == [photo.name for photo in photos[1:]]
    assert [photo.name for photo in result.left_out] == [photos[0].name]
    assert result.reference == 0


def test_no_readable_photo_is_told(ask: Callable[..., Asked], folder: Path, tmp_path: Path) -> None:
    photos = gather([shutil.copytree(folder, tmp_path / "photos")]).photos

    def vanish(*_: Any) -> None:
        for photo in photos:
            photo.path.unlink(missing_ok=True)

    with pytest.raises(PhotoError, match="does not exist any more"):
        ask(photos, tamper=vanish, input_size=140)
    with pytest.raises(PhotoError, match="does not exist any more"):
        ask(photos, input_size=140)


def test_a_photo_without_a_field_of_view_takes_the_others(ask: Callable[..., Asked], pair: Any) -> None:
    shots, photos = pair

    def close(encoding: Float, depth: Float) -> None:
        encoding[1, 7:] = 0

    result = ask(photos, shots, close, input_size=140).result
    assert result.views[1].intrinsics[0, 0] == pytest.approx(result.views[0].intrinsics[0, 0])
    assert [view.report.focal_uncertain for view in result.views] == [False, True]
    (warning,) = result.warnings
    assert photos[1].name in warning


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 0.0])
def test_senseless_depth_is_unknown_and_the_rest_goes_on(ask: Callable[..., Asked], pair: Any, value: float) -> None:
    shots, photos = pair

    def blot(encoding: Float, depth: Float) -> None:
        depth[0] = value
        depth[1, :50] = value

    first, second = ask(photos, shots, blot, input_size=140).result.views
    assert first.depth is not None and second.depth is not None and second.confidence is not None
    assert not first.depth.any()
    assert not second.depth[:50].any() and not second.confidence[:50].any()
    assert (second.depth[50:] > 0).all()


@pytest.mark.parametrize(
    ("columns", "words"), [(slice(0, 7), "no position"), (slice(7, 9), "no field of view"), (None, "no depth")]
)
def test_nothing_sensible_at_all_is_told(
    ask: Callable[..., Asked], pair: Any, columns: slice | None, words: str
) -> None:
    shots, photos = pair

    def spoil(encoding: Float, depth: Float) -> None:
        if columns is None:
            depth[:] = np.nan
        else:
            encoding[:, columns] = np.nan

    with pytest.raises(EngineError, match=f"VGGT gave {words} for any photo: .*check the weights"):
        ask(photos, shots, spoil, input_size=140)


# --- refusals, before anything is loaded


def refusal(photos: Sequence[Photo], workspace: Path, **settings: Any) -> str:
    def load(*_: Any) -> Loaded:
        raise AssertionError("the network was loaded")

    with pytest.raises(EngineError) as caught:
        engine.VggtEngine(load).reconstruct(
            photos, workspace, EngineSettings(network=NetworkSettings(**settings)), no_progress, never
        )
    return caught.value.sentence


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"framing": "fit"}, "no framing called fit: choose one of whole, crop, pad"),
        ({"focal": "long"}, "no focal called long: choose one of network, shared, exif, a number of pixels"),
        ({"focal": "0"}, "--focal 0 is no lens's: from 9mm to 1008mm make sense"),
        ({"precision": "int8"}, "no precision called int8"),
        ({"input_size": 500}, "--input-size 500 is not a multiple of 14"),
        ({"input_size": 126}, "--input-size 126 is not a multiple of 14 from 140"),
        ({"input_size": 1050}, "--input-size 1050"),
        ({"memory_limit": 0.5}, "of which 0.5 GB can be used"),
    ],
)
def test_settings_that_do_not_work_are_told_at_once(
    pair: Any, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    assert words in refusal(pair[1], tmp_path, **settings)


def test_a_low_limit_makes_the_pieces_smaller_not_the_run_fail(
    ask: Callable[..., Asked], photos: tuple[Photo, ...], solved: Asked
) -> None:
    weights = weights_memory(torch.float32)
    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    quickest, second, *_ = plans(Request(FULL, HEADS, 5, (518, 518), torch.float32, weights), device)
    assert quickest.memory > second.memory
    result = ask(photos, memory_limit=(weights + second.memory) / 1e9).result
    assert result.report["tokens_at_a_time"] == second.chunks.tokens
    assert result.report["memory_predicted"] == weights + second.memory
    assert solved.result.report["tokens_at_a_time"] == quickest.chunks.tokens > second.chunks.tokens
    for one, other in zip(result.views, solved.result.views, strict=True):
        assert one.depth is not None and other.depth is not None
        np.testing.assert_array_equal(one.depth, other.depth)


def test_a_gpu_that_is_too_small_is_told_before_it_is_filled(
    monkeypatch: pytest.MonkeyPatch, pair: Any, tmp_path: Path
) -> None:
    small = Device(torch.device("cuda"), "NVIDIA GeForce", 2_000_000_000, torch.bfloat16)
    monkeypatch.setattr(engine, "find_device", lambda name, allowed: small)
    assert "on NVIDIA GeForce, of which 2.0 GB can be used. The weights alone hardly fit" in refusal(pair[1], tmp_path)


# --- progress and cancel


def test_progress_never_falls_and_ends_at_one(ask: Callable[..., Asked], pair: Any) -> None:
    told: list[tuple[str, float]] = []
    ask(pair[1], pair[0], input_size=140, progress=lambda stage, done: told.append((stage, done)))
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
    stages = list(dict.fromkeys(stage for stage, _ in told))
    expected = ["Loading the network", "Loading photos", "Looking at all photos together", "Preparing pictures"]
    assert stages == expected


def test_a_cancel_is_answered_wherever_it_is_asked(ask: Callable[..., Asked], pair: Any, standin: ModuleType) -> None:
    shots, photos = pair
    asked: list[bool] = []

    def count() -> bool:
        asked.append(False)
        return False

    ask(photos, shots, input_size=140, cancel=count)
    assert len(asked) >= len(photos) + standin.STEPS + len(photos)
    for number in range(len(asked)):
        answers = iter([False] * number + [True])  # asked once more, it has nothing to say
        with pytest.raises(Cancelled):
            ask(photos, shots, input_size=140, cancel=lambda answers=answers: next(answers))
    assert len(ask(photos, shots, input_size=140).result.views) == 2


# --- what is left behind


def test_a_run_leaves_torchs_threads_and_the_devices_memory_as_they_were(
    monkeypatch: pytest.MonkeyPatch, pair: Any, standin: ModuleType, tmp_path: Path
) -> None:
    shots, photos = pair
    threads: list[int] = []
    released: list[Device] = []

    def tamper(encoding: Float, depth: Float) -> None:
        threads.append(torch.get_num_threads())
        if len(threads) == 2:
            raise ValueError("a fault")

    monkeypatch.setattr(engine, "release_memory", released.append)
    made = engine.VggtEngine(lambda *_: Loaded(standin.StandIn(photos[0].path.parent, shots, tamper), standin.RECORD))
    settings = EngineSettings(threads=1, network=NetworkSettings(device="cpu", input_size=140))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        made.reconstruct(photos, tmp_path, settings, no_progress, never)
        assert torch.get_num_threads() == 2 and len(released) == 1
        with pytest.raises(ValueError, match="a fault"):
            made.reconstruct(photos, tmp_path, settings, no_progress, never)
        assert torch.get_num_threads() == 2 and len(released) == 2
        made.reconstruct(photos, tmp_path, dataclasses.replace(settings, threads=0), no_progress, never)
    finally:
        torch.set_num_threads(before)
    assert threads == [1, 1, 2] and {device.device.type for device in released} == {"cpu"}
