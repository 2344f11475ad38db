"""What a caller may rely on: refusals, cancelling, repeatability, and inputs that stay as they are."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from vggt_addon.engines.layers.chunks import Chunks
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT
from vggt_addon.errors import Cancelled

SIZE = (28, 42)


@pytest.fixture(scope="module")
def network(networks: ModuleType) -> Any:
    return networks.make_vggt()


@pytest.mark.parametrize(
    "shape",
    [
        (1, 2, 3, 28, 43),
        (1, 2, 3, 27, 42),
        (1, 2, 3, 0, 42),
        (1, 2, 3, 28, 0),
        (1, 0, 3, 28, 42),
        (0, 2, 3, 28, 42),
        (2, 3, 28, 42),
        (28, 42),
        (42,),
        (),
        (1, 1, 2, 3, 28, 42),
        (1, 2, 4, 28, 42),
        (1, 2, 1, 28, 42),
    ],
    ids=str,
)
def test_shapes_that_are_no_pictures_are_refused(network: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 14") as caught:
        network(torch.zeros(shape))
    assert str(tuple(shape)) in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 4, 3), (1, 4), (2, 4, 2), (1, 0, 2), (4, 2)], ids=str)
def test_shapes_that_are_no_points_are_refused(networks: ModuleType, network: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"query points must be \(1, N, 2\)"):
        network(networks.pictures((1, 2, 3, *SIZE)), torch.zeros(shape))


def test_points_without_the_head_for_them_are_refused(networks: ModuleType) -> None:
    network = networks.make_vggt(heads=("camera", "depth"))
    with pytest.raises(ValueError, match="track head was not built"):
        network(networks.pictures((1, 2, 3, *SIZE)), torch.zeros(1, 3, 2))


@pytest.mark.parametrize("size", [(14, 42), (42, 14)])
def test_tracks_in_pictures_that_are_too_small_are_refused(
    networks: ModuleType, network: Any, size: tuple[int, int]
) -> None:
    """Four levels of the half-size map: 16 pixels. Without tracks the same pictures are taken."""
    images = networks.pictures((1, 2, 3, *size))
    with pytest.raises(ValueError, match="at least 16 pixels"):
        network(images, torch.zeros(1, 3, 2))
    assert network(images).depth.shape == (1, 2, *size)


def test_the_number_is_the_published_networks_own() -> None:
    with torch.device("meta"):
        full = VGGT(heads=ALL_HEADS)
        with pytest.raises(ValueError, match="at least 128 pixels"):
            full(torch.zeros(1, 2, 3, 126, 140), torch.zeros(1, 3, 2))


def count_steps(network: Any, images: Tensor, points: Tensor | None = None, chunks: Chunks | None = None) -> int:
    steps: list[None] = []
    network(images, points, chunks or Chunks(), lambda: steps.append(None))
    return len(steps)


def test_steps_are_told_often_and_their_number_follows_from_shapes(networks: ModuleType, network: Any) -> None:
    images, points = networks.pictures((1, 2, 3, *SIZE)), networks.queries(1, 3, SIZE)
    others = networks.pictures((1, 2, 3, *SIZE), seed=5) // 2
    steps = count_steps(network, images, points)
    # Encoder 3 blocks and frame blocks 4 for each frame, global blocks 4.
    assert steps >= 2 * (3 + 4) + 4 + 4
    assert count_steps(network, others, points + 1) == steps
    assert count_steps(network, torch.zeros_like(images), points) == steps
    assert count_steps(network, images, points, Chunks(rows=4)) > steps  # each band is a step
    assert count_steps(network, images) < steps


def test_cancelled_at_any_step_and_used_again(networks: ModuleType, network: Any) -> None:
    images, points = networks.pictures((1, 2, 3, *SIZE)), networks.queries(1, 3, SIZE)
    before = networks.vggt_outputs(network(images, points))
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    total = count_steps(network, images, points)
    for last in range(1, total + 1):
        counted: list[None] = []

        def cancel(counted: list[None] = counted, last: int = last) -> None:
            counted.append(None)
            if len(counted) == last:
                raise Cancelled

        with pytest.raises(Cancelled):
            network(images, points, Chunks(), cancel)
        assert len(counted) == last  # at once
    after = networks.vggt_outputs(network(images, points))
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kind", ["bytes", "floats", "doubles", "a view of a larger batch"])
def test_inputs_are_not_changed(networks: ModuleType, network: Any, kind: str) -> None:
    images, points = networks.pictures((1, 2, 3, *SIZE)), networks.queries(1, 3, SIZE)
    if kind == "floats":
        images = images.float() / 255
    elif kind == "doubles":
        images = images.double() / 255
    elif kind == "a view of a larger batch":
        images = (networks.pictures((1, 4, *SIZE, 3)).float() / 255).permute(0, 1, 4, 2, 3)[:, ::2]
    kept = images.clone(), points.clone()
    network(images, points)
    assert torch.equal(images, kept[0]) and torch.equal(points, kept[1])


@pytest.mark.parametrize("chunks", [Chunks(), Chunks(2, 5, 3, 2)], ids=str)
def test_results_are_repeatable_to_the_bit(networks: ModuleType, network: Any, chunks: Chunks) -> None:
    images, points = networks.pictures((2, 2, 3, *SIZE)), networks.queries(2, 3, SIZE)
    first, second = (networks.vggt_outputs(network(images, points, chunks)) for _ in range(2))
    again = networks.vggt_outputs(networks.make_vggt()(images, points, chunks))
    for name in first:
        assert torch.equal(first[name], second[name]) and torch.equal(first[name], again[name]), name


def test_memory_layout_of_the_pictures_does_not_matter(networks: ModuleType) -> None:
    network = networks.make_vggt(torch.float64, ("camera", "depth"))
    images = networks.pictures((1, 2, *SIZE, 3)).permute(0, 1, 4, 2, 3)  # as photos are decoded: colours last
    found, wanted = (networks.vggt_outputs(network(given)) for given in (images, images.contiguous()))
    assert all(networks.largest(found[name], wanted[name]) < 1e-11 for name in wanted)


def test_no_gradients_are_kept(networks: ModuleType, network: Any) -> None:
    assert all(parameter.requires_grad for parameter in network.parameters())
    with torch.enable_grad():
        output = network(networks.pictures((1, 2, 3, *SIZE)), networks.queries(1, 3, SIZE))
    for name, tensor in networks.vggt_outputs(output).items():
        assert tensor.is_inference() and not tensor.requires_grad, name


def test_fields_of_heads_that_are_not_built_are_none(networks: ModuleType) -> None:
    output = networks.make_vggt(heads=("camera", "track"))(networks.pictures((1, 1, 3, *SIZE)))
    assert output.depth is None and output.depth_confidence is None
    assert output.points is None and output.points_confidence is None
    assert output.tracks is None  # nothing was asked
    assert output.pose_encoding.shape == (4, 1, 1, 9)


def test_values_are_in_their_ranges(networks: ModuleType, network: Any) -> None:
    output = network(networks.pictures((1, 3, 3, *SIZE)), networks.queries(1, 5, SIZE))
    assert (output.depth > 0).all()
    assert (output.depth_confidence >= 1).all() and (output.points_confidence >= 1).all()
    assert (output.pose_encoding[..., 7:] >= 0).all()
    for share in (output.tracks.visibility, output.tracks.confidence):
        assert ((share >= 0) & (share <= 1)).all()


def test_tracks_begin_at_the_query(networks: ModuleType, network: Any) -> None:
    points = networks.queries(2, 5, SIZE)
    tracks = network(networks.pictures((2, 3, 3, *SIZE)), points).tracks
    torch.testing.assert_close(tracks.positions[:, :, 0], points.expand(4, 2, 5, 2), rtol=1e-6, atol=1e-6)
    assert (tracks.positions[-1, :, 1] - points).abs().max() > 0.1
