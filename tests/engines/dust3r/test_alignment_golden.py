"""The alignment against the published one, on maps of a made-up scene."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.engines.dust3r.scenes import pose_errors
from tests.goldens.golden import FOLDER
from vggt_addon.engines.dust3r.alignment import AlignmentSettings, align, unknowns_from
from vggt_addon.engines.dust3r.focal import focal_length
from vggt_addon.engines.dust3r.initialisation import normalise, start_from_tree
from vggt_addon.engines.dust3r.loss import AlignmentLoss
from vggt_addon.engines.dust3r.optimise import OptimiserSettings, Schedule
from vggt_addon.engines.dust3r.pair_maps import PUBLISHED_CENTRE, PairMaps
from vggt_addon.engines.dust3r.registration import register
from vggt_addon.engines.dust3r.unknowns import NOTHING_FIXED, Unknowns

EXACT = 1e-4  # relative


@pytest.fixture(scope="module")
def golden() -> SimpleNamespace:
    said = json.loads((FOLDER / "dust3r_alignment.json").read_text(encoding="utf-8"))
    with np.load(FOLDER / "dust3r_alignment.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    edges = [(int(i), int(j)) for i, j in arrays["edges"]]
    maps = PairMaps.empty(edges, [arrays["pred_i"].shape[1:3]] * 3, centre=PUBLISHED_CENTRE)
    for number in range(len(edges)):
        for side, letter in enumerate("ij"):
            points, confidence = (torch.from_numpy(arrays[f"{name}_{letter}"][number]) for name in ("pred", "conf"))
            maps.put(number, side, points, confidence)
    return SimpleNamespace(said=said, arrays=arrays, maps=maps)


def at_golden(golden: Any) -> Unknowns:
    unknowns = Unknowns(golden.maps.pixels, len(golden.maps.edges))
    with torch.no_grad():
        unknowns.pair_poses.copy_(torch.from_numpy(golden.arrays["pw_poses"]))
        unknowns.poses.copy_(torch.from_numpy(golden.arrays["im_poses"]))
        unknowns.log_depth.copy_(torch.from_numpy(golden.arrays["im_log_depth"]).reshape(-1))
        unknowns.focals.copy_(torch.from_numpy(golden.arrays["im_focal_params"])[:, 0])
    return unknowns


def close(ours: Any, wanted: Any) -> None:
    ours, wanted = np.asarray(ours, np.float64), np.asarray(wanted, np.float64)
    assert np.abs(ours - wanted).max() <= EXACT * np.abs(wanted).max()


def focal_error(focals: Sequence[float], golden: Any) -> float:
    """Pixels: the largest."""
    return float(np.abs(np.array(focals) - golden.said["true_focal"]).max())


def test_loss_and_gradients_at_the_stored_unknowns(golden: Any) -> None:
    unknowns = at_golden(golden)
    loss = AlignmentLoss(golden.maps)(unknowns.world(), unknowns.similarities())
    torch.autograd.backward(loss)
    close(loss.item(), golden.said["loss_fixed"])
    close(unknowns.pair_poses.grad, golden.arrays["grad_pw_poses"])
    close(unknowns.poses.grad, golden.arrays["grad_im_poses"])
    close(unknowns.focals.grad, golden.arrays["grad_im_focals"][:, 0])
    assert unknowns.log_depth.grad is not None
    close(unknowns.log_depth.grad.reshape(3, -1)[:, :8], golden.arrays["grad_im_depthmaps_first8"])


def test_loss_with_adaptors(golden: Any) -> None:
    unknowns = at_golden(golden)
    unknowns.adaptors.copy_(torch.from_numpy(golden.arrays["pw_adaptors"]))
    loss = AlignmentLoss(golden.maps)(unknowns.world(), unknowns.similarities())
    close(loss.item(), golden.said["loss_fixed_with_adaptors"])


def test_edge_scores_and_focal_lengths(golden: Any) -> None:
    maps = golden.maps
    for number, (i, j) in enumerate(maps.edges):
        close(maps.scores()[number], golden.said["edge_scores"][f"{i}_{j}"])
        close(
            focal_length(maps.map(number, 0)[0], maps.pixels[i]),
            golden.said["focal_weiszfeld_of_edge_maps"][f"{i}_{j}"],
        )


def test_registration(golden: Any) -> None:
    maps = golden.maps
    source, confidence = maps.map(maps.edges.index((1, 0)), 1)
    target, _ = maps.map(maps.edges.index((0, 1)), 0)
    found = register(source, target, confidence)
    wanted = golden.said["registration_of_second_map_of_1_0_on_first_map_of_0_1"]
    close(found.scale, wanted["s"])
    close(found.rotation, wanted["R"])
    close(found.translation, wanted["T"])


def test_the_published_start_with_its_slip(golden: Any) -> None:
    start = start_from_tree(golden.maps, NOTHING_FIXED, published=True)
    assert start.tree == [tuple(edge) for edge in golden.said["tree_edges"]]
    close(start.focals, golden.said["init_focals"])
    assert start.focals[1] == start.focals[2], "the slip: the third picture has the second one's"
    close(start.pairs.scale.log(), golden.said["init_pw_scale_params"])
    ours = np.stack([pose.numpy() for pose in start.poses if pose is not None])
    np.testing.assert_allclose(ours[:2], golden.arrays["init_cam_to_world"][:2], atol=1e-4)
    # The third camera is RANSAC's: another draw, another answer, as near to the truth.
    np.testing.assert_allclose(ours[2], golden.arrays["init_cam_to_world"][2], atol=0.02)
    normalise(start)
    unknowns = unknowns_from(golden.maps, start, NOTHING_FIXED, published=True)
    loss = AlignmentLoss(golden.maps)(unknowns.world(), unknowns.similarities())
    assert loss.item() == pytest.approx(golden.said["loss_after_init"], rel=0.02)


def test_our_start_has_each_pictures_own_focal_length(golden: Any) -> None:
    start = start_from_tree(golden.maps, NOTHING_FIXED)
    assert start.tree == [tuple(edge) for edge in golden.said["tree_edges"]]
    assert len(set(start.focals)) == 3
    normalise(start)
    unknowns = unknowns_from(golden.maps, start, NOTHING_FIXED)
    loss = AlignmentLoss(golden.maps)(unknowns.world(), unknowns.similarities())
    assert loss.item() < golden.said["loss_after_init"]


@pytest.mark.parametrize(("schedule", "published"), [("linear", True), ("linear", False), ("cosine", True)])
def test_after_300_steps(golden: Any, schedule: Schedule, published: bool) -> None:
    settings = AlignmentSettings(OptimiserSettings(300, schedule, settled=0), published_start=published)
    found = align(golden.maps, settings=settings)
    assert found.outcome.steps == 300
    assert found.outcome.loss <= 1.001 * golden.said[f"loss_after_300_{schedule}"]
    theirs = pose_errors(golden.arrays["final_cam_to_world"].astype(np.float64), golden.arrays["true_cam_to_world"])
    ours = pose_errors(found.world_from_camera.numpy(), golden.arrays["true_cam_to_world"])
    assert ours[0] <= 1.05 * theirs[0] and ours[1] <= 1.05 * theirs[1]
    stated = golden.said["final_focals" if schedule == "linear" else "final_focals_cosine"]
    assert focal_error(found.focals, golden) <= 1.05 * focal_error(stated, golden)


def test_it_ends_early_where_the_loss_stands_still(golden: Any) -> None:
    found = align(golden.maps)
    assert found.outcome.steps < 200
    assert found.outcome.loss <= 1.001 * golden.said["loss_after_300_linear"]
