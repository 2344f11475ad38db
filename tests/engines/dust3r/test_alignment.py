"""The alignment on scenes whose cameras are known: what it finds, what it is told beforehand, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.engines.dust3r.scenes import Scene, make_scene, pair_maps, pose_errors
from tests.engines.plain import dust3r_alignment as plain
from vggt_addon.engines.dust3r.agreement import agreements
from vggt_addon.engines.dust3r.alignment import Aligned, AlignmentSettings, align
from vggt_addon.engines.dust3r.loss import AlignmentLoss
from vggt_addon.engines.dust3r.optimise import OptimiserSettings
from vggt_addon.engines.dust3r.pair_maps import PairMaps
from vggt_addon.engines.dust3r.pairs import Edge, mirrored, sliding_window
from vggt_addon.engines.dust3r.unknowns import Fixed
from vggt_addon.errors import Cancelled, EngineError
from vggt_addon.progress import no_progress

QUICK = AlignmentSettings(OptimiserSettings(steps=60))


def depth_error(found: Aligned, scene: Scene, picture: int = 0) -> float:
    """Median relative error of depth, after the world's unit is taken out."""
    true = torch.from_numpy(scene.depth[found.pictures[picture]].reshape(-1)).float()
    ratio = found.depth[picture] / true
    return float((ratio / ratio.median() - 1).abs().median())


@pytest.mark.parametrize("count", [3, 8, 20])
@pytest.mark.parametrize(("outliers", "degrees", "share"), [(0.0, 0.1, 0.001), (0.05, 0.5, 0.005), (0.2, 0.5, 0.005)])
def test_known_cameras_are_found_again(count: int, outliers: float, degrees: float, share: float) -> None:
    scene = make_scene(count, (18, 24), seed=count)
    found = align(pair_maps(scene, outliers=outliers, seed=count), settings=QUICK)
    rotation, place = pose_errors(found.world_from_camera.numpy(), scene.world_from_camera)
    assert rotation < degrees and place < share
    np.testing.assert_allclose(found.focals, scene.focals, rtol=0.005)
    assert depth_error(found, scene) < 0.001


@pytest.mark.parametrize("photos", [3, 8])
def test_pairs_that_are_sure_of_nonsense_do_not_carry_the_world(photos: int) -> None:
    scene = make_scene(photos, seed=photos)
    maps = pair_maps(scene)
    random = torch.Generator().manual_seed(0)
    for number in range(0, len(maps.edges) // 2, 3):  # a third of the pairs, in one of their directions, and sure
        points, confidence = maps.map(number, 1)
        turn = torch.linalg.qr(torch.randn(3, 3, generator=random))[0]
        points.copy_(turn @ points + 1)
        confidence.fill_(12.0)
    found = align(maps)
    rotation, place = pose_errors(found.world_from_camera.numpy(), scene.world_from_camera)
    assert rotation < 0.5 and place < 0.02
    telling = dict(zip(maps.edges, agreements(maps), strict=True))
    assert telling[maps.edges[0]] < 0.1 and telling[maps.edges[1]] > 0.99
    assert maps.edges[0] not in found.tree


def test_an_open_window_of_pairs_is_enough() -> None:
    scene = make_scene(6, seed=3)
    found = align(pair_maps(scene, mirrored(sliding_window(6, 2, cyclic=False)), outliers=0.05), settings=QUICK)
    rotation, place = pose_errors(found.world_from_camera.numpy(), scene.world_from_camera)
    assert rotation < 0.1 and place < 0.002


def test_some_pixels_find_the_poses_and_all_get_their_depth() -> None:
    scene = make_scene(4, (48, 64), seed=1)
    maps = pair_maps(scene, outliers=0.2)
    found = align(maps, settings=AlignmentSettings(OptimiserSettings(steps=60), most_values=8000))
    rotation, place = pose_errors(found.world_from_camera.numpy(), scene.world_from_camera)
    assert rotation < 0.2 and place < 0.003
    assert all(len(depth) == 48 * 64 for depth in found.depth)
    scale = float(found.depth[2].median()) / float(np.median(scene.depth[2]))
    off = (found.depth[2] / scale / torch.from_numpy(scene.depth[2].reshape(-1)) - 1).abs()
    assert off.median() < 0.002 and off.quantile(0.97) < 0.01, "what lies off in one map does not get into depth"


# --- what is known beforehand


def test_known_poses_stay_and_the_others_join_them_in_their_unit() -> None:
    scene = make_scene(5, seed=2)
    known = {k: torch.from_numpy(scene.world_from_camera[k]) for k in (1, 3)}
    found = align(pair_maps(scene, outliers=0.05), Fixed(known, {}), QUICK)
    for picture in known:
        np.testing.assert_allclose(found.world_from_camera[picture], scene.world_from_camera[picture], atol=1e-5)
    np.testing.assert_allclose(found.world_from_camera, scene.world_from_camera, atol=0.01)
    np.testing.assert_allclose(found.depth[0].reshape(24, 32).median(), np.median(scene.depth[0]), rtol=0.005)


def test_one_known_pose_sets_the_frame() -> None:
    scene = make_scene(3, seed=2)
    pose = torch.from_numpy(scene.world_from_camera[2])
    found = align(pair_maps(scene), Fixed({2: pose}, {}), QUICK)
    np.testing.assert_allclose(found.world_from_camera[2], pose, atol=1e-6)
    assert pose_errors(found.world_from_camera.numpy(), scene.world_from_camera)[0] < 0.1


def test_known_focals_stay_and_groups_share_one() -> None:
    scene = make_scene(4, seed=5, focals=(30.0, 30.0, 34.0, 34.0))
    found = align(pair_maps(scene, outliers=0.05), Fixed({}, {0: 31.0}, [7, 7, 9, 9]), QUICK)
    assert found.focals[0] == found.focals[1] == pytest.approx(31.0, rel=1e-5)
    assert found.focals[2] == found.focals[3] == pytest.approx(34.0, rel=0.02)


# --- pairs that do not hang together


def test_only_the_largest_group_is_placed() -> None:
    scene = make_scene(5, seed=1)
    found = align(pair_maps(scene, mirrored([(1, 0), (2, 4), (4, 3)])), settings=QUICK)
    assert found.pictures == (2, 3, 4)
    assert pose_errors(found.world_from_camera.numpy(), scene.world_from_camera[[2, 3, 4]])[0] < 0.1
    assert set(found.tree) <= {(2, 4), (4, 2), (4, 3), (3, 4)}


def test_a_picture_of_which_nothing_is_sure_is_left_out() -> None:
    scene = make_scene(3, seed=1)
    maps = pair_maps(scene)
    maps.confidence[1][:] = 1.0005
    found = align(maps, settings=QUICK)
    assert found.pictures == (0, 2)


def test_where_nothing_is_sure_it_says_so() -> None:
    maps = pair_maps(make_scene(2))
    for confidence in maps.confidence:
        confidence[:] = 1.0
    with pytest.raises(EngineError, match="sure of nothing that two of these photos share"):
        align(maps)


# --- the step itself


def odd_maps() -> PairMaps:
    """Three pictures of three sizes, one pair in one direction only, points that are not finite."""
    random = torch.Generator().manual_seed(0)
    edges: list[Edge] = [(1, 0), (0, 1), (2, 1)]
    sizes = [(5, 7), (6, 4), (3, 9)]
    maps = PairMaps.empty(edges, sizes)
    for number, edge in enumerate(edges):
        for side, picture in enumerate(edge):
            points = torch.randn(*sizes[picture], 3, generator=random)
            points[0, 0] = torch.nan
            maps.put(number, side, points, 1 + torch.rand(*sizes[picture], generator=random))
    return maps


def test_the_step_is_what_a_plain_loop_over_pairs_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vggt_addon.engines.dust3r.loss._CPU_BLOCK", 64)  # several blocks a picture
    maps = odd_maps()
    random = torch.Generator().manual_seed(1)
    world = torch.randn(3, 35 + 24 + 27, generator=random, requires_grad=True)
    similarities = torch.randn(3, 3, 4, generator=random, requires_grad=True)
    ours = AlignmentLoss(maps)(world, similarities) * 3
    wanted = 3 * plain.loss(maps, list(world.double().split([35, 24, 27], dim=1)), similarities.double())
    assert ours.item() == pytest.approx(wanted.item(), rel=1e-5)
    found = torch.autograd.grad(ours, [world, similarities])
    for one, other in zip(found, torch.autograd.grad(wanted, [world, similarities]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_at_the_exact_answer_the_gradient_is_zero_not_nan() -> None:
    maps = pair_maps(make_scene(2))
    identity = torch.eye(3, 4).repeat(2, 1, 1)
    world = torch.cat([maps.map(0, 1)[0], maps.map(0, 0)[0]], dim=1)  # of pair (1, 0) as it stands
    _, gradient, _ = AlignmentLoss(maps.restricted([0, 1])).evaluate(world, identity)
    assert bool(gradient.isfinite().all())


def test_a_cancel_is_answered_between_steps_and_progress_never_falls() -> None:
    maps = pair_maps(make_scene(3))
    told: list[float] = []
    asked = iter([False] * 10)
    with pytest.raises(Cancelled):
        align(maps, progress=lambda _, done: told.append(done), cancel=lambda: next(asked, True))
    assert len(told) == 10 and told == sorted(told)
    align(maps, settings=QUICK, progress=lambda _, done: told.append(done))
    assert told[-1] <= 1 and told[10:] == sorted(told[10:])


def test_the_same_maps_give_the_same_answer_and_are_left_as_they_are() -> None:
    maps = pair_maps(make_scene(3), outliers=0.1)
    before = [points.clone() for points in maps.points]
    one, other = (align(maps, settings=QUICK, progress=no_progress) for _ in range(2))
    torch.testing.assert_close(one.world_from_camera, other.world_from_camera, rtol=0, atol=0)
    assert all(bool((a == b).all()) for a, b in zip(before, maps.points, strict=True))


@pytest.mark.parametrize("edges", [[(0, 0)], [(0, 2)], [(-1, 0)]])
def test_pairs_of_pictures_that_are_not_there_are_refused(edges: Any) -> None:
    with pytest.raises(ValueError, match="of 2 pictures"):
        PairMaps.empty(edges, [(4, 4), (4, 4)])
