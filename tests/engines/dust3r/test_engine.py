"""The engine, end to end on a stand-in network that gives the exact answer for a scene with known cameras."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.engines.dust3r.standin import PairStandIn, leave, loaded
from tests.engines.vggt.standin import RECORD, SHOTS, Shot, off_surface
from vggt_addon.engines.dust3r import engine
from vggt_addon.engines.dust3r.load import weights_memory
from vggt_addon.engines.layers.devices import Device
from vggt_addon.engines.layers.work import Speed
from vggt_addon.errors import Cancelled, EngineError, PhotoError
from vggt_addon.geometry.projection import grid_pixels, project, unproject
from vggt_addon.photos.gather import gather
from vggt_addon.photos.photo import Photo
from vggt_addon.progress import Cancel, Progress, never, no_progress
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import EngineSettings, NetworkSettings

Float = NDArray[np.float64]
LIMIT = 0.5  # photo pixels, of photos of 900; what is left is the stand-in's float32 and the optimiser's last step


@pytest.fixture(scope="module", autouse=True)
def roomy() -> Iterator[None]:
    """A processor with room for the whole network, however little there is; its speed is not measured each time."""
    device = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_device", lambda name, allowed: device)
        patch.setattr(engine, "known_speed", lambda *_: Speed(1e11, 1e11, 1e11))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Photo, ...]:
    """Landscape, upright by its EXIF alone, of odd sides, with a hole, a strip."""
    folder = tmp_path_factory.mktemp("photos")
    return gather([shot.write(folder) for shot in SHOTS]).photos


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Shot], tuple[Photo, ...]]:
    """Three small photos, which are looked at in a moment: their shots, and themselves."""
    shots = [
        dataclasses.replace(shot, name=f"{shot.blue}.png", width=240, height=180, focal=200.0, orientation=1, hole=None)
        for shot in SHOTS[:3]
    ]
    folder = tmp_path_factory.mktemp("small")
    return shots, gather([shot.write(folder) for shot in shots]).photos


@dataclass
class Asked:
    """A run's answer, and what was seen on the way."""

    result: Reconstruction
    network: PairStandIn
    workspace: Path


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Asked]:
    """Run the engine on photos in a folder; keywords are NetworkSettings' but for those of the run itself."""

    def run(
        photos: Sequence[Photo],
        shots: Sequence[Shot] = SHOTS,
        tamper: Any = leave,
        progress: Progress = no_progress,
        cancel: Cancel = never,
        reference: str = "",
        texture_size: int = 0,
        **settings: Any,
    ) -> Asked:
        network = PairStandIn(photos[0].path.parent, shots, tamper)
        made = engine.Dust3rEngine(lambda *_: loaded(network))
        workspace = tmp_path_factory.mktemp("workspace")
        chosen = NetworkSettings(device="cpu", **{"input_size": 128, **settings})
        every = EngineSettings(threads=1, reference=reference, texture_size=texture_size, network=chosen)
        return Asked(made.reconstruct(photos, workspace, every, progress, cancel), network, workspace)

    return run


@pytest.fixture(scope="module")
def solved(ask: Callable[..., Asked], photos: tuple[Photo, ...]) -> Asked:
    """The five photos, nothing asked for."""
    return ask(photos, input_size=176)


def unit_of(result: Reconstruction, shots: Sequence[Shot]) -> float:
    """True units of one of the capture's world, by depth."""
    ratios = []
    for view in result.views:
        shot = next(shot for shot in shots if shot.name == view.name)
        assert view.depth is not None and view.photo_from_grid is not None
        true = shot.surface_depth(grid_pixels(view.photo_from_grid, *view.depth.shape))
        ratios.append(np.median(true[view.depth > 0] / view.depth[view.depth > 0]))
    assert max(ratios) / min(ratios) < 1.003, "one world has one unit"
    return float(np.median(ratios))


def scaled(camera: Float, unit: float) -> Float:
    return np.asarray(np.block([[camera[:3, :3], unit * camera[:3, 3:]], [np.zeros((1, 3)), np.ones((1, 1))]]))


def check_against_truth(result: Reconstruction, shots: Sequence[Shot], pixels: float = LIMIT) -> None:
    """Every view projects true points to where its shot does, and its depth lies on the scene's surfaces."""
    unit = unit_of(result, shots)
    by_name = {shot.name: shot for shot in shots}
    reference = result.views[result.reference]
    world = by_name[reference.name].camera_from_world
    np.testing.assert_allclose(reference.camera_from_world, np.eye(4), atol=1e-9)
    for view in result.views:
        shot = by_name[view.name]
        seen = np.random.default_rng(shot.blue).uniform(0, 1, (300, 2)) * [shot.width, shot.height]
        points = unproject(shot.intrinsics, shot.camera_from_world, seen, shot.surface_depth(seen))
        in_reference = points @ world[:3, :3].T + world[:3, 3]
        found, _ = project(view.intrinsics, scaled(view.camera_from_world, unit), in_reference)
        assert np.abs(found - seen).max() < pixels, view.name
        assert view.depth is not None and view.photo_from_grid is not None
        at = grid_pixels(view.photo_from_grid, *view.depth.shape)
        known = view.depth > 0
        measured = unproject(
            view.intrinsics, scaled(view.camera_from_world, unit), at[known], unit * view.depth[known].astype(float)
        )
        in_world = (measured - world[:3, 3]) @ world[:3, :3]
        assert np.median(off_surface(in_world)) < 0.005, view.name


# --- the result, in the photos' own pixels


def test_every_photo_overlays_the_truth(solved: Asked, photos: tuple[Photo, ...]) -> None:
    result = solved.result
    assert [view.name for view in result.views] == [photo.name for photo in photos]
    assert result.left_out == () and result.engine == "dust3r" and result.weights == RECORD
    check_against_truth(result, SHOTS)
    for view, shot in zip(result.views, SHOTS, strict=True):
        assert view.intrinsics[0, 0] == view.intrinsics[1, 1] == pytest.approx(shot.focal, rel=0.005)
        assert (view.width, view.height) == (shot.width, shot.height)
        np.testing.assert_allclose(view.intrinsics[:2, 2], [shot.width / 2, shot.height / 2], atol=1e-9)
        assert view.report.focal_source == "network" and view.report.pixel_aspect == pytest.approx(1, abs=0.03)
    assert len(solved.network.pairs) == 20 and len(set(solved.network.pairs)) == 20


def test_the_whole_photo_has_depth_but_its_hole(solved: Asked) -> None:
    for view, shot in zip(solved.result.views, SHOTS, strict=True):
        assert view.depth is not None and view.confidence is not None and view.color is not None
        at = grid_pixels(view.photo_from_grid, *view.depth.shape)  # type: ignore[arg-type]
        corners = at[[0, -1], [0, -1]]
        step = shot.width / view.depth.shape[1]
        assert np.abs(corners - [[0, 0], [shot.width, shot.height]]).max() < step, "edge on edge, nothing cut"
        hole = np.zeros(view.depth.shape, bool)
        if shot.hole:
            left, top, right, bottom = shot.hole
            hole = ((at > [left + step, top + step]) & (at < [right - step, bottom - step])).all(axis=-1)
            assert hole.any() and not view.depth[hole].any() and not view.confidence[hole].any()
            assert (view.color[hole] == 255).all()
        shown = ~hole & ((at > [2 * step, 0]).all(axis=-1))
        assert (view.depth[shown] > 0).mean() > 0.97


def test_confidence_is_the_networks_best(solved: Asked) -> None:
    view, shot = solved.result.views[0], SHOTS[0]
    assert view.confidence is not None and view.photo_from_grid is not None
    at = grid_pixels(view.photo_from_grid, *view.confidence.shape)
    trust = 1 + 8 * np.clip(at[..., 0] / shot.width, 0, 1)
    np.testing.assert_allclose(view.confidence, 1 - 1 / trust, atol=0.01)


def test_blender_is_shown_the_file_or_an_upright_copy(solved: Asked, photos: tuple[Photo, ...]) -> None:
    for view, photo in zip(solved.result.views, photos, strict=True):
        with Image.open(view.photo) as image:
            assert image.size == (photo.width, photo.height)
        assert (view.photo == photo.path) == photo.shown_as_is
        assert view.identity == photo.sha256
    assert solved.result.views[1].photo.is_relative_to(solved.workspace / "photos")


def test_the_run_is_told(solved: Asked) -> None:
    report, settings = solved.result.report, solved.result.settings
    assert report["pairs"] == 20 and report["device"] == "the processor" and report["alignment_steps"] > 0
    assert settings["engine"] == "dust3r" and settings["network"]["precision"] == "float32"


# --- what may be asked


def test_another_reference_is_the_world(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    result = ask(photos, shots, reference=photos[2].name).result
    assert result.reference == 2 and [view.name for view in result.views] == [photo.name for photo in photos]
    check_against_truth(result, shots)


@pytest.mark.parametrize(("focal", "pixels"), [("210", 210.0), ("shared", 200.0), ("28mm", 240 * 28 / 36)])
def test_focal_lengths_that_are_known_or_shared(
    ask: Callable[..., Asked], small: Any, focal: str, pixels: float
) -> None:
    shots, photos = small
    result = ask(photos, shots, focal=focal).result
    found = {view.intrinsics[0, 0] for view in result.views}
    assert max(found) - min(found) < 1e-3 and max(found) == pytest.approx(pixels, rel=1e-3)
    sources = {view.report.focal_source for view in result.views}
    assert sources == ({"network"} if focal == "shared" else {"given"})


def test_textures_may_be_capped(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    for view in ask(photos[:2], shots, texture_size=100).result.views:
        with Image.open(view.photo) as image:
            assert max(image.size) == 100
        assert (view.width, view.height) == (240, 180)


def test_points_that_float_before_what_others_see_lose_their_confidence(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small

    def float_up(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
        if own == photos[0].name:  # a patch of one photo, half as far, and not sure of it
            height, width = confidence.shape
            patch = slice(height // 3, height // 2), slice(width // 3, width // 2)
            confidence[patch] = 1.5
            if first == own:
                points[patch] *= 0.5
        else:
            confidence[:] = 6

    def patch(clean: bool) -> Float:
        confidence = ask(photos, shots, float_up, clean=clean).result.views[0].confidence
        assert confidence is not None
        rows, columns = confidence.shape
        return np.asarray(confidence[rows // 3 + 4 : rows // 2 - 4, columns // 3 + 4 : columns // 2 - 4], np.float64)

    assert (patch(False) > 0).all()
    before, after = patch(False), patch(True)
    assert ((after == 0) | (after == before)).all()


# --- few photos, and odd ones


def test_one_photo_gives_depth_and_a_focal_length(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    asked = ask(photos[:1], shots)
    check_against_truth(asked.result, shots)
    assert asked.network.pairs == [(photos[0].name, photos[0].name)]


@pytest.mark.parametrize("which", [(0, 1), (1, 2)])
def test_two_photos_need_no_alignment(ask: Callable[..., Asked], small: Any, which: tuple[int, int]) -> None:
    shots, photos = small
    asked = ask([photos[number] for number in which], shots)
    assert len(asked.network.pairs) == 2 and asked.result.report["alignment_steps"] == 0
    check_against_truth(asked.result, shots)


@pytest.mark.parametrize("count", [2, 3])
def test_the_same_photo_again_and_again(ask: Callable[..., Asked], small: Any, tmp_path: Path, count: int) -> None:
    shots, _ = small
    again = [dataclasses.replace(shots[0], name=f"{number}.png") for number in range(count)]
    files = [shot.write(tmp_path) for shot in again]
    for number, file in enumerate(files):  # one picture, several files
        with Image.open(file) as image:
            image.save(file, compress_level=number)
    photos = gather(files).photos
    assert len(photos) == count
    result = ask(photos, again).result
    for view in result.views:
        np.testing.assert_allclose(view.camera_from_world, np.eye(4), atol=2e-3)


def test_a_black_photo_is_left_out(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small

    def black(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
        if photos[1].name in (first, own):
            confidence[:] = 1.001

    result = ask(photos, shots, black).result
    assert [view.name for view in result.views] == [photos[0].name, photos[2].name]
    (left_out,) = result.left_out
    assert left_out.name == photos[1].name and "sure of nothing" in left_out.reason


def test_a_black_photo_beside_one_other_is_refused(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small

    def black(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
        if own == photos[1].name:
            confidence[:] = 1.001

    with pytest.raises(EngineError, match="sure of nothing that two of these photos share"):
        ask(photos[:2], shots, black)


@pytest.mark.parametrize("reference", ["", SHOTS[4].name])
def test_of_photos_of_two_places_the_larger_group_is_placed(
    ask: Callable[..., Asked], photos: tuple[Photo, ...], reference: str
) -> None:
    """Also where the reference is among the others: then the first that was placed is the world."""
    here = {shot.name for shot in SHOTS[:3]}

    def elsewhere(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
        if (first in here) != (own in here):
            confidence[:] = 1.0

    result = ask(photos, tamper=elsewhere, reference=reference).result
    assert [view.name for view in result.views] == [shot.name for shot in SHOTS[:3]] and result.reference == 0
    assert [photo.name for photo in result.left_out] == [shot.name for shot in SHOTS[3:]]
    assert all("sure of nothing" in photo.reason for photo in result.left_out)
    check_against_truth(result, SHOTS)


def test_photos_that_share_nothing_are_refused(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small

    def nothing(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
        confidence[:] = 1

    with pytest.raises(EngineError, match="sure of nothing that"):
        ask(photos, shots, nothing)
    with pytest.raises(EngineError, match="sees nothing"):
        ask(photos[:1], shots, nothing)
    with pytest.raises(EngineError, match="sees nothing"):
        ask(photos[:2], shots, nothing)


def test_a_photo_that_cannot_be_read_is_left_out(ask: Callable[..., Asked], small: Any, tmp_path: Path) -> None:
    shots, _ = small
    photos = gather([shot.write(tmp_path) for shot in shots]).photos
    photos[0].path.write_bytes(photos[0].path.read_bytes()[:2000])
    result = ask(photos, shots, reference=photos[0].name).result
    assert [view.name for view in result.views] == [photo.name for photo in photos[1:]]
    assert [photo.name for photo in result.left_out] == [photos[0].name]
    for photo in photos:
        photo.path.unlink()
    with pytest.raises(PhotoError):
        ask(photos, shots)


# --- refusals, plan, progress and cancel


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"framing": "crop"}, "DUSt3R takes photos whole"),
        ({"input_size": 100}, "--input-size 100 is too small or too large for DUSt3R"),
        ({"input_size": 2000}, "--input-size 2000"),
        ({"points_from": "head"}, "no point head"),
        ({"focal": "long"}, "no focal called long"),
        ({"memory_limit": 0.5}, "of which 0.5 GB can be used"),
    ],
)
def test_settings_that_do_not_work_are_told_at_once(
    small: Any, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    def load(*_: Any) -> Any:
        raise AssertionError("the network was loaded")

    chosen = EngineSettings(network=NetworkSettings(**settings))
    with pytest.raises(EngineError) as caught:
        engine.Dust3rEngine(load).reconstruct(small[1], tmp_path, chosen, no_progress, never)
    assert words in caught.value.sentence


def test_the_plan_says_what_pairs_cost(photos: tuple[Photo, ...]) -> None:
    made = engine.Dust3rEngine()
    five = made.plan(photos, EngineSettings(), never)
    two = made.plan(photos[:2], EngineSettings(), never)
    assert five.fits and five.seconds and two.seconds and five.seconds > 3 * two.seconds
    assert five.sentence.startswith("5 photos: about") and "20 comparisons" in five.sentence
    assert five.memory is not None and five.memory > weights_memory(torch.float32) > 2e9
    tight = made.plan(photos, EngineSettings(network=NetworkSettings(memory_limit=2.0)), never)
    assert not tight.fits and tight.seconds is None and "5 photos in 20 pairs need" in tight.sentence


def test_the_default_input_is_the_networks_own(photos: tuple[Photo, ...]) -> None:
    prepared = engine.prepare(photos, EngineSettings())
    assert all(max(size) == 512 for size in prepared.request.sizes)


def test_matches_show_the_same_point_in_both_photos(
    ask: Callable[..., Asked], photos: tuple[Photo, ...], solved: Asked
) -> None:
    """Landscape, turned by EXIF, with a hole, a strip: in the pixels of each, however it lay in the input."""
    assert solved.result.matches is None
    result = ask(photos, input_size=176, matches=True, reference=photos[2].name).result
    matches, by_name = result.matches, {shot.name: shot for shot in SHOTS}
    assert matches is not None
    pairs = np.unique(matches.view, axis=0)
    assert len(pairs) > 6 and (pairs[:, 0] < pairs[:, 1]).all()
    for pair in pairs:
        of_pair = (matches.view == pair).all(axis=1)
        shots = [by_name[result.views[index].name] for index in pair]
        world = []
        for shot, seen in zip(shots, matches.pixel[of_pair].astype(np.float64).swapaxes(0, 1), strict=True):
            world.append(unproject(shot.intrinsics, shot.camera_from_world, seen, shot.surface_depth(seen)))
        shown, _ = project(shots[1].intrinsics, shots[1].camera_from_world, world[0])
        step = max(shots[1].width, shots[1].height) / 176  # photo pixels of an input pixel
        away = np.linalg.norm(shown - matches.pixel[of_pair, 1], axis=1) / step
        assert np.median(away) < 1.0, [shot.name for shot in shots]
    assert matches.confidence.min() > 0 and matches.confidence.max() < 1


def test_matches_of_two_photos_and_of_one(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    told: list[float] = []
    two = ask(photos[:2], shots, matches=True, progress=lambda stage, done: told.append(done)).result
    assert two.matches is not None and len(two.matches.view) > 100
    assert told == sorted(told) and told[-1] == 1
    assert ask(photos[:1], shots, matches=True).result.matches is None


def test_progress_never_falls_and_ends_at_one(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    told: list[tuple[str, float]] = []
    ask(photos, shots, progress=lambda stage, done: told.append((stage, done)))
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert list(dict.fromkeys(stage for stage, _ in told)) == [
        "Loading the network",
        "Loading photos",
        "Looking at each photo",
        "Comparing photos in pairs",
        "Aligning the pairs",
        "Preparing pictures",
    ]


def test_a_cancel_is_answered_wherever_it_is_asked(ask: Callable[..., Asked], small: Any) -> None:
    shots, photos = small
    asked: list[bool] = []

    def count() -> bool:
        asked.append(False)
        return False

    ask(photos[:2], shots, cancel=count)
    for number in range(len(asked)):
        answers = iter([False] * number + [True])
        with pytest.raises(Cancelled):
            ask(photos[:2], shots, cancel=lambda answers=answers: next(answers))
