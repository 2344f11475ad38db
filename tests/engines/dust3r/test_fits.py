"""Registration, focal length and PnP: a known answer is applied and found again, gross outliers or not."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engines.dust3r.scenes import make_scene, pair_maps
from vggt_addon.engines.dust3r.focal import focal_length, robust_focal_length
from vggt_addon.engines.dust3r.pnp import locate
from vggt_addon.engines.dust3r.registration import Similarity, register, register_cameras, register_robustly
from vggt_addon.engines.dust3r.unknowns import (
    quaternion,
    rotations,
    stored_translations,
    translations,
)


def some_similarity(seed: int = 0) -> Similarity:
    random = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=random, dtype=torch.float64))[0]
    return Similarity(
        torch.tensor(1.7, dtype=torch.float64),
        turn * torch.linalg.det(turn).sign(),
        torch.tensor([3.0, -2, 5]).double(),
    )


def cloud(count: int = 500) -> Tensor:
    return torch.randn(3, count, generator=torch.Generator().manual_seed(1))


def assert_same(found: Similarity, wanted: Similarity, tolerance: float) -> None:
    for name in ("scale", "rotation", "translation"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=tolerance, atol=tolerance)


def test_a_similarity_is_found_again_one_or_many_at_once() -> None:
    wanted, points = some_similarity(), cloud()
    assert_same(register(points, wanted.apply(points), torch.ones(500)), wanted, 1e-5)
    other = some_similarity(4)
    both = register(
        points.expand(2, 3, 500), torch.stack([wanted.apply(points), other.apply(points)]), torch.ones(2, 500)
    )
    assert_same(both[0], wanted, 1e-5)
    assert_same(both[1], other, 1e-5)


def test_a_third_of_gross_outliers_pulls_squares_and_not_distances() -> None:
    wanted, points = some_similarity(), cloud()
    target = wanted.apply(points)
    target[:, ::3] = 20 * cloud(167) + 30
    assert_same(register_robustly(points, target, torch.ones(500)), wanted, 1e-4)
    assert abs(float(register(points, target, torch.ones(500)).scale) - 1.7) > 0.1


def test_a_mirrored_cloud_gets_a_rotation() -> None:
    points = cloud()
    found = register(points, points * torch.tensor([[-1.0], [1], [1]]), torch.ones(500))
    assert float(torch.linalg.det(found.rotation)) == pytest.approx(1)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_points_that_say_nothing_give_the_identity(weight: float) -> None:
    same = torch.ones(3, 5)
    found = register_robustly(same, cloud(5), torch.full((5,), weight))
    torch.testing.assert_close(found.rotation, torch.eye(3).double())
    assert float(found.scale) == 1 and bool(found.translation.isfinite().all())


def test_cameras_are_laid_on_cameras_even_two_of_them() -> None:
    wanted = some_similarity(3)
    theirs = torch.from_numpy(make_scene(4).world_from_camera)
    ones = torch.ones(4).double()
    ours = wanted.after(Similarity(ones, theirs[:, :3, :3], theirs[:, :3, 3])).rigid()
    for count in (2, 4):
        assert_same(register_cameras(theirs[:count], ours[:count]), wanted, 1e-9)
    single = register_cameras(theirs[:1], ours[:1])
    assert float(single.scale) == 1
    torch.testing.assert_close(single.rotation, wanted.rotation)


def test_a_maps_focal_length_whatever_lies_off() -> None:
    scene = make_scene(2, seed=7)
    maps = pair_maps(scene, outliers=0.3)
    picture = maps.edges[0][0]
    points, confidence = maps.map(0, 0)
    found = robust_focal_length(points, maps.pixels[picture], confidence.log())
    assert found == pytest.approx(scene.focals[picture], rel=2e-3)
    clean, _ = pair_maps(scene).map(0, 0)
    assert focal_length(clean, maps.pixels[picture]) == pytest.approx(scene.focals[picture], rel=1e-4)


@pytest.mark.parametrize("points", [torch.zeros(3, 20), -torch.ones(3, 20)])
def test_a_map_that_says_nothing_has_no_focal_length(points: Tensor) -> None:
    assert robust_focal_length(points, torch.ones(2, 20), torch.ones(20)) is None


@pytest.mark.parametrize("told", [True, False])
def test_a_camera_is_found_from_points_and_pixels(told: bool) -> None:
    scene = make_scene(2, (192, 256), seed=8)
    maps = pair_maps(scene)
    world = torch.from_numpy(scene.world(1).reshape(-1, 3).T)
    world[:, ::7] += 3
    found = locate(world, maps.pixels[1], scene.focals[1] if told else None, 256, 100)
    assert found is not None
    if told:
        np.testing.assert_allclose(found.world_from_camera, scene.world_from_camera[1], atol=1e-4)
    else:  # the nearest of the focal lengths that are tried
        assert abs(np.log(found.focal / scene.focals[1])) < np.log(6) / 20
    assert locate(world[:, :3], maps.pixels[1][:, :3], 30.0, 32, 100) is None
    assert locate(torch.zeros(3, 50), maps.pixels[1][:, :50], 30.0, 32, 10) is None


def test_stored_forms_are_undone() -> None:
    for seed in range(20):
        turn = some_similarity(seed).rotation
        torch.testing.assert_close(rotations(3 * quaternion(turn)), turn)
    half_turns = [torch.diag(torch.tensor(axis).double()) for axis in ([1.0, -1, -1], [-1.0, 1, -1], [-1.0, -1, 1])]
    for turn in half_turns:
        torch.testing.assert_close(rotations(quaternion(turn)), turn)
    moved = torch.tensor([-30.0, 0, 1e-4, 7])
    torch.testing.assert_close(translations(stored_translations(moved)), moved)
