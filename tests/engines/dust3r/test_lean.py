"""The network that is shipped equals the plain one, in whatever pieces it works."""

import math
import re
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vggt_addon.engines.dust3r.output import EncodedPhotos
from vggt_addon.engines.layers.chunks import Chunks

EXACT = 1e-11  # float64, max |lean - plain| / rms(plain): what an eps of any norm changes is above it
SIZES = (48, 32), (16, 64)  # pixels: odd grids of 3 x 2 and 1 x 4
MUCH = 10**6
PIECES = [
    Chunks(),
    *(Chunks(frames=count) for count in (2, 3, MUCH)),
    *(Chunks(tokens=count) for count in (1, 2, 4, 5, MUCH)),
    *(Chunks(rows=count) for count in (1, 5, 16, MUCH)),
    Chunks(1, 1, 1, 1),
    Chunks(2, 4, 7, 3),
    Chunks(MUCH, MUCH, MUCH, MUCH),
]

Judge = Any  # (pairs, dtype) -> the pictures of both sides, what the plain network says


@pytest.fixture(scope="module")
def judge(networks: ModuleType) -> Judge:
    @cache
    def of(pairs: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        first, second = (networks.pictures((pairs, 3, *size), seed) for seed, size in enumerate(SIZES))
        return first, second, networks.judge_dust3r(first, second, dtype)

    return of


@pytest.fixture(scope="module")
def nets(networks: ModuleType) -> dict[torch.dtype, nn.Module]:
    return {dtype: networks.make_dust3r(dtype) for dtype in (torch.float32, torch.float64)}


@pytest.mark.parametrize("chunks", PIECES, ids=str)
@pytest.mark.parametrize("pairs", [1, 3])
def test_exact_in_float64(
    networks: ModuleType, nets: dict[torch.dtype, nn.Module], judge: Judge, pairs: int, chunks: Chunks
) -> None:
    first, second, wanted = judge(pairs, torch.float64)
    found = networks.dust3r_outputs(nets[torch.float64](first, second, chunks))
    assert all(tensor.dtype == torch.float64 for tensor in found.values())
    assert {name: off for name in wanted if (off := networks.largest(found[name], wanted[name])) > EXACT} == {}


@pytest.mark.parametrize("chunks", PIECES, ids=str)
def test_within_rounding_in_float32(
    networks: ModuleType, nets: dict[torch.dtype, nn.Module], judge: Judge, chunks: Chunks
) -> None:
    first, second, wanted = judge(2, torch.float32)
    found = networks.dust3r_outputs(nets[torch.float32](first, second, chunks))
    assert all(tensor.dtype == torch.float32 for tensor in found.values())
    off = {name: networks.typical(found[name], wanted[name]) for name in wanted}
    assert {name: value for name, value in off.items() if not value <= (1e-6 if "conf" in name else 2e-6)} == {}
    assert max(networks.largest(found[name], wanted[name]) for name in wanted) < 1e-5
    truth = judge(2, torch.float64)[2]
    for name in wanted:  # and as near to the truth
        assert networks.typical(found[name], truth[name]) < 1.5 * networks.typical(wanted[name], truth[name])


def test_a_photo_is_encoded_once_for_all_its_pairs(networks: ModuleType, nets: dict[torch.dtype, nn.Module]) -> None:
    """All directed pairs of three photos from three encodings, together, one by one, and by the plain network."""
    network: Any = nets[torch.float64]
    photos = networks.pictures((3, 3, *SIZES[0]))
    encoded = network.encode(photos, Chunks(frames=2))
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
    together = networks.dust3r_outputs(
        network.decode(*(EncodedPhotos(encoded.tokens[side], encoded.grid) for side in (firsts, seconds)))
    )
    wanted = networks.judge_dust3r(photos[firsts], photos[seconds], torch.float64)
    for name in wanted:
        assert networks.largest(together[name], wanted[name]) < EXACT
    for number, (i, j) in enumerate(pairs):
        alone = networks.dust3r_outputs(network.decode(encoded[i : i + 1], encoded[j : j + 1]))
        whole = networks.dust3r_outputs(network(photos[i : i + 1], photos[j : j + 1]))
        for name in alone:
            assert networks.largest(together[name][number : number + 1], alone[name]) < EXACT
            assert networks.largest(whole[name], alone[name]) < EXACT


def test_decoding_leaves_the_encoded_photos_alone(nets: dict[torch.dtype, nn.Module], judge: Judge) -> None:
    network: Any = nets[torch.float32]
    first, second, _ = judge(1, torch.float32)
    photos = network.encode(first), network.encode(second)
    before = [photo.tokens.clone() for photo in photos]
    network.decode(*photos)
    assert all(torch.equal(photo.tokens, tokens) for photo, tokens in zip(photos, before, strict=True))


@settings(derandomize=True, max_examples=10, deadline=None)
@given(data=st.data())
def test_exact_for_any_shape(networks: ModuleType, nets: dict[torch.dtype, nn.Module], data: st.DataObject) -> None:
    pairs = data.draw(st.integers(1, 3), "pairs")
    sides = [(data.draw(st.integers(1, 4), "rows"), data.draw(st.integers(1, 4), "columns")) for _ in range(2)]
    pieces = [data.draw(st.integers(1, most), name) for name, most in PIECE_SIZES.items()]
    images = [networks.pictures((pairs, 3, 16 * h, 16 * w), seed=number) for number, (h, w) in enumerate(sides)]
    wanted = networks.judge_dust3r(*images, torch.float64)
    asked = data.draw(st.sampled_from(["bytes", "floats"]), "values")
    given_images = images if asked == "bytes" else [image.double() / 255 for image in images]
    found = networks.dust3r_outputs(nets[torch.float64](*given_images, Chunks(*pieces)))
    assert {name: off for name in wanted if (off := networks.largest(found[name], wanted[name])) > EXACT} == {}


PIECE_SIZES = {"photos at once": 4, "tokens at once": 20, "picture rows at once": 70}


def test_the_eps_of_norms_is_right_and_seen(networks: ModuleType, judge: Judge) -> None:
    """Of every norm it is right; of one of each kind it is shown that the comparison sees another."""
    first, second, wanted = judge(1, torch.float64)
    network = networks.make_dust3r(torch.float64)
    kinds = {}
    for name in networks.norm_names("dust3r"):
        assert network.get_submodule(name).eps == 1e-6, name
        kinds[re.sub(r"\.\d+\.", ".", name)] = name
    assert len(kinds) == 12
    for name in kinds.values():
        network.get_submodule(name).eps = 1e-5
        found = networks.dust3r_outputs(network(first, second))
        assert max(networks.largest(found[key], wanted[key]) for key in wanted) > EXACT, name
        network.get_submodule(name).eps = 1e-6


def test_activations_by_known_answers(networks: ModuleType) -> None:
    """Where the direction has no length, the point is 0 and not NaN; elsewhere at exp(length) - 1 along it."""
    head = networks.make_dust3r(torch.float64).downstream_head1
    last = head.dpt.head[4]
    last.weight = nn.Parameter(torch.zeros_like(last.weight))
    tokens = [torch.zeros(1, 6, layer[0].out_channels, dtype=torch.float64) for layer in head.dpt.act_postprocess]
    for values, point, confidence in (
        ([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 2.0),
        ([3.0, 0.0, -4.0, 1.0], [0.6 * math.expm1(5), 0.0, -0.8 * math.expm1(5)], 1 + math.e),
    ):
        last.bias = nn.Parameter(torch.tensor(values, dtype=torch.float64))
        with torch.inference_mode():
            output = head(list(tokens), (3, 2), Chunks(), lambda: None)
        assert output.points.shape == (1, 48, 32, 3) and output.confidence.shape == (1, 48, 32)
        torch.testing.assert_close(output.points[0, 7, 9], torch.tensor(point, dtype=torch.float64), rtol=1e-14, atol=0)
        assert float(output.confidence[0, 7, 9]) == pytest.approx(confidence, rel=1e-14)
