"""What a caller may rely on: refusals, cancelling, repeatability, and inputs that stay as they are."""

from types import ModuleType
from typing import Any

import pytest
import torch

from vggt_addon.engines.layers.chunks import DEFAULT_CHUNKS, Chunks
from vggt_addon.errors import Cancelled

SIZES = (32, 48), (16, 32)


@pytest.fixture(scope="module")
def network(networks: ModuleType) -> Any:
    return networks.make_dust3r()


@pytest.fixture(scope="module")
def pair(networks: ModuleType) -> Any:
    return [networks.pictures((2, 3, *size), seed) for seed, size in enumerate(SIZES)]


@pytest.mark.parametrize(
    "shape",
    [
        (1, 3, 32, 50),
        (1, 3, 31, 48),
        (1, 3, 0, 48),
        (0, 3, 32, 48),
        (3, 32, 48),
        (48,),
        (),
        (1, 1, 3, 32, 48),
        (1, 4, 32, 48),
    ],
    ids=str,
)
def test_shapes_that_are_no_pictures_are_refused(network: Any, shape: tuple[int, ...]) -> None:
    for call in (network.encode, lambda given: network(torch.zeros(1, 3, 32, 48), given)):
        with pytest.raises(ValueError, match="multiples of 16") as caught:
            call(torch.zeros(shape))
        assert str(tuple(shape)) in str(caught.value)


def test_batches_of_different_length_are_refused(network: Any, pair: Any) -> None:
    first, second = network.encode(pair[0]), network.encode(pair[1][:1])
    with pytest.raises(ValueError, match="2 first photos cannot be paired with 1"):
        network.decode(first, second)


def count_steps(network: Any, pair: Any, chunks: Chunks = DEFAULT_CHUNKS) -> int:
    steps: list[None] = []
    network(*pair, chunks, lambda: steps.append(None))
    return len(steps)


def test_steps_are_told_often_and_their_number_follows_from_shapes(network: Any, pair: Any) -> None:
    steps = count_steps(network, pair)
    assert steps >= 2 * 2 * 3 + 2 * 12 + 2 * 2 * 2  # encoder blocks, decoder blocks, bands
    assert count_steps(network, [255 - image for image in pair]) == steps
    assert count_steps(network, pair, Chunks(rows=4)) > steps


def test_cancelled_at_any_step_and_used_again(networks: ModuleType, network: Any, pair: Any) -> None:
    one = [image[:1] for image in pair]
    before = networks.dust3r_outputs(network(*one))
    for last in range(1, count_steps(network, one) + 1):
        counted: list[None] = []

        def cancel(counted: list[None] = counted, last: int = last) -> None:
            counted.append(None)
            if len(counted) == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            network(*one, Chunks(), cancel)
        assert len(counted) == last  # at once
    after = networks.dust3r_outputs(network(*one))
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("kind", ["bytes", "floats", "doubles"])
def test_inputs_are_not_changed(network: Any, pair: Any, kind: str) -> None:
    dtype = {"floats": torch.float32, "doubles": torch.float64}.get(kind)
    given = [image.to(dtype) / 255 if dtype else image for image in pair]
    kept = [image.clone() for image in given]
    network(*given)
    assert all(torch.equal(image, before) for image, before in zip(given, kept, strict=True))


@pytest.mark.parametrize("chunks", [Chunks(), Chunks(2, 3, 5)], ids=str)
def test_results_are_repeatable_to_the_bit(networks: ModuleType, network: Any, pair: Any, chunks: Chunks) -> None:
    first, second = (networks.dust3r_outputs(network(*pair, chunks)) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_no_gradients_are_kept(networks: ModuleType, network: Any, pair: Any) -> None:
    with torch.enable_grad():
        encoded = [network.encode(image) for image in pair]
        output = network.decode(*encoded)
    for tensor in (encoded[0].tokens, *networks.dust3r_outputs(output).values()):
        assert tensor.is_inference() and not tensor.requires_grad


def test_confidence_is_at_least_one_and_sizes_are_each_photos_own(network: Any, pair: Any) -> None:
    output = network(*pair)
    for found, size in zip((output.first, output.second), SIZES, strict=True):
        assert found.points.shape == (2, *size, 3) and found.confidence.shape == (2, *size)
        assert (found.confidence >= 1).all()


def test_what_an_encoding_is_cut_into(network: Any, pair: Any) -> None:
    encoded = network.encode(pair[0])
    part = encoded[1:2]
    assert part.grid == encoded.grid == (2, 3)
    assert part.tokens.shape == (1, 6, 64) and torch.equal(part.tokens[0], encoded.tokens[1])
