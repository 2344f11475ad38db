"""The network that is shipped equals the plain one, in whatever pieces it works."""

import re
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.vggt.network import ALL_HEADS

EXACT = 1e-11  # float64, max |lean - plain| / rms(plain): what an eps of any norm changes is above it
SIZE = (28, 42)  # 2 x 3 patches, 11 tokens a frame
FRAMES = (1, 2, 5)
MUCH = 10**6
PIECES = [
    Chunks(),
    *(Chunks(frames=count) for count in (2, 3, 5, MUCH)),
    *(Chunks(tokens=count) for count in (1, 4, 11, 20, MUCH)),
    *(Chunks(rows=count) for count in (1, 5, 28, MUCH)),
    *(Chunks(tracks=count) for count in (1, 2, MUCH)),
    Chunks(1, 1, 1, 1),
    Chunks(2, 7, 5, 2),
    Chunks(3, 33, 41, 3),
    Chunks(MUCH, MUCH, MUCH, MUCH),
]
# float32: rms(lean - plain) / rms(plain). Sums in another order; tracks and more so their visibility, which see sines
# of up to 969 times a position, amplify it.
ROUNDING = {
    "pose_enc_iters": 1e-6,
    "depth": 1e-6,
    "depth_conf": 1e-6,
    "world_points": 5e-6,
    "world_points_conf": 1e-6,
    "track_iters": 1e-5,
    "vis": 1e-3,
    "conf": 1e-3,
}

Judge = Any  # (frames, dtype) -> pictures, query points, what the plain network says


@pytest.fixture(scope="module")
def judge(networks: ModuleType) -> Judge:
    @cache
    def of(frames: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        images = networks.pictures((1, frames, 3, *SIZE))
        points = networks.queries(1, 4, SIZE, dtype)
        return images, points, networks.judge_vggt(images, points, dtype, ALL_HEADS)

    return of


@pytest.fixture(scope="module")
def nets(networks: ModuleType) -> dict[torch.dtype, nn.Module]:
    return {dtype: networks.make_vggt(dtype) for dtype in (torch.float32, torch.float64)}


@pytest.mark.parametrize("chunks", PIECES, ids=str)
@pytest.mark.parametrize("frames", FRAMES)
def test_exact_in_float64(
    networks: ModuleType, nets: dict[torch.dtype, nn.Module], judge: Judge, frames: int, chunks: Chunks
) -> None:
    images, points, wanted = judge(frames, torch.float64)
    found = networks.vggt_outputs(nets[torch.float64](images, points, chunks))
    assert list(found) == list(wanted) == list(ROUNDING)
    assert all(tensor.dtype == torch.float64 for tensor in found.values())
    assert {name: off for name in wanted if (off := networks.largest(found[name], wanted[name])) > EXACT} == {}


@pytest.mark.parametrize("chunks", PIECES, ids=str)
@pytest.mark.parametrize("frames", FRAMES)
def test_within_rounding_in_float32(
    networks: ModuleType, nets: dict[torch.dtype, nn.Module], judge: Judge, frames: int, chunks: Chunks
) -> None:
    images, points, wanted = judge(frames, torch.float32)
    found = networks.vggt_outputs(nets[torch.float32](images, points, chunks))
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    off = {name: networks.typical(found[name], wanted[name]) for name in wanted}
    assert {name: value for name, value in off.items() if not value <= ROUNDING[name]} == {}
    # No single value is far off: every depth against itself, the worst number of a pose against their spread.
    assert float(((found["depth"] - wanted["depth"]).abs() / wanted["depth"]).max()) < 5e-6
    assert networks.largest(found["pose_enc_iters"], wanted["pose_enc_iters"]) < 1e-5


@pytest.mark.parametrize("frames", FRAMES)
def test_float32_is_as_near_to_the_truth_as_the_plain_network(
    networks: ModuleType, nets: dict[torch.dtype, nn.Module], judge: Judge, frames: int
) -> None:
    images, points, plain = judge(frames, torch.float32)
    truth = judge(frames, torch.float64)[2]
    found = networks.vggt_outputs(nets[torch.float32](images, points))
    for name in ("pose_enc_iters", "depth", "depth_conf", "world_points", "world_points_conf"):
        assert networks.typical(found[name], truth[name]) < 1.5 * networks.typical(plain[name], truth[name])


@pytest.mark.parametrize("heads", [("camera",), ("depth",), ("point",), ("camera", "depth"), ("depth", "track")])
def test_a_head_says_the_same_alone(networks: ModuleType, judge: Judge, heads: Any) -> None:
    images, points, wanted = judge(2, torch.float64)
    network = networks.make_vggt(torch.float64, heads)
    found = networks.vggt_outputs(network(images, points if "track" in heads else None))
    owners = {"pose": "camera", "depth": "depth", "world": "point", "track": "track", "vis": "track", "conf": "track"}
    assert set(found) == {name for name in wanted if owners[name.split("_")[0]] in heads}
    assert all(networks.largest(found[name], wanted[name]) < EXACT for name in found)


def test_scenes_of_a_batch_do_not_see_each_other(networks: ModuleType, nets: dict[torch.dtype, nn.Module]) -> None:
    images = networks.pictures((3, 2, 3, *SIZE))
    points = networks.queries(3, 4, SIZE, torch.float64)
    together = networks.vggt_outputs(nets[torch.float64](images, points, Chunks(frames=4)))
    for scene in range(3):
        alone = networks.vggt_outputs(nets[torch.float64](images[scene : scene + 1], points[scene : scene + 1]))
        for name, tensor in alone.items():
            axis = 1 if "iters" in name else 0
            assert networks.largest(together[name].narrow(axis, scene, 1), tensor) < EXACT, name


@settings(derandomize=True, max_examples=20, deadline=None)
@given(data=st.data())
def test_exact_for_any_shape(networks: ModuleType, data: st.DataObject) -> None:
    scenes, frames = data.draw(st.integers(1, 2), "scenes"), data.draw(st.integers(1, 4), "frames")
    grid = data.draw(st.integers(1, 6), "rows"), data.draw(st.integers(1, 6), "columns")
    size = 14 * grid[0], 14 * grid[1]
    possible = ALL_HEADS if min(size) >= 16 else ALL_HEADS[:3]
    heads = data.draw(st.sets(st.sampled_from(possible), min_size=1), "heads")
    pieces = [data.draw(st.integers(1, most), name) for name, most in PIECE_SIZES.items()]
    images = networks.pictures((scenes, frames, 3, *size), seed=1)
    points = networks.queries(scenes, data.draw(st.integers(1, 4), "points"), size, torch.float64)
    points = points if "track" in heads else None
    wanted = networks.judge_vggt(images, points, torch.float64, heads)
    asked = data.draw(st.sampled_from(["bytes", "floats"]), "values")
    given_images = images if asked == "bytes" else images.double() / 255
    found = networks.vggt_outputs(networks.make_vggt(torch.float64, heads)(given_images, points, Chunks(*pieces)))
    assert found.keys() == wanted.keys()
    assert {name: off for name in wanted if (off := networks.largest(found[name], wanted[name])) > EXACT} == {}


PIECE_SIZES = {"frames at once": 9, "tokens at once": 50, "picture rows at once": 90, "tracks at once": 5}


# What the comparison sees


def test_the_eps_of_norms_is_right_and_seen(networks: ModuleType, judge: Judge) -> None:
    """Of every norm it is right; of one of each kind it is shown that the comparison sees another."""
    images, points, wanted = judge(2, torch.float64)
    network = networks.make_vggt(torch.float64)
    kinds = {}
    for name in networks.norm_names("vggt"):
        eps = 1e-6 if name.startswith("aggregator.patch_embed") else 1e-5
        assert network.get_submodule(name).eps == eps, name
        kinds[re.sub(r"\.\d+\.", ".", name)] = name, eps
    assert len(kinds) == 32
    for name, eps in kinds.values():
        network.get_submodule(name).eps = 1.1e-5 - eps
        found = networks.vggt_outputs(network(images, points))
        assert max(networks.largest(found[key], wanted[key]) for key in wanted) > EXACT, name
        network.get_submodule(name).eps = eps


def test_the_modulated_norms_eps_is_seen(networks: ModuleType, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    images, points, wanted = judge(2, torch.float64)
    right = functional.layer_norm

    def layer_norm(tokens: Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
        return right(tokens, shape, weight, bias, 1e-5 if weight is None else eps)

    monkeypatch.setattr(functional, "layer_norm", layer_norm)
    found = networks.make_vggt(torch.float64)(images, points)
    assert networks.largest(found.pose_encoding, wanted["pose_enc_iters"]) > 10 * EXACT
