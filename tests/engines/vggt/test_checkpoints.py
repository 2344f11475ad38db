"""Files of weights into the real network: whole, without tracks, and refused in a sentence."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from vggt_addon.engines.vggt.checkpoint_rules import RULES
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT, Head
from vggt_addon.errors import WeightsError
from vggt_addon.weights.checkpoint import Checkpoint, open_checkpoint
from vggt_addon.weights.loading import load_weights
from vggt_addon.weights.saving import save_checkpoint

SIZE = (28, 42)


def saved(folder: Path, kind: str, tensors: Mapping[str, Tensor]) -> Checkpoint:
    path = folder / f"weights.{kind}"
    if kind == "safetensors":
        save_checkpoint(path, tensors, {"network": "vggt"})
    else:
        torch.save({"model": dict(tensors)} if kind == "pth" else dict(tensors), path)
    return open_checkpoint(path)


def empty(networks: ModuleType, heads: tuple[Head, ...]) -> VGGT:
    with torch.device("meta"):
        return VGGT(networks.VGGT_SMALL, heads)


def without(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(prefixes)}


def assert_same(networks: ModuleType, network: VGGT, original: VGGT) -> None:
    """The same numbers to the bit, and so the same answer (but for sums in another order: their places in memory,
    which matrix products look at, differ)."""
    state, wanted_state = network.state_dict(), original.state_dict()
    assert state.keys() == wanted_state.keys()
    assert all(torch.equal(state[name], wanted_state[name]) for name in wanted_state)
    images = networks.pictures((1, 2, 3, *SIZE))
    found, wanted = (networks.vggt_outputs(made(images)) for made in (network, original))
    assert all(networks.largest(found[name], wanted[name]) < 2e-5 for name in wanted)


@pytest.mark.parametrize("kind", ["pt", "pth", "safetensors"])
def test_the_network_that_was_saved_comes_back(networks: ModuleType, tmp_path: Path, kind: str) -> None:
    original = networks.make_vggt()
    network = empty(networks, ALL_HEADS)
    report = load_weights(network, saved(tmp_path, kind, original.state_dict()), RULES)
    assert (report.tensors, report.parameters) == (627, 2_720_716)
    assert (report.ignored, dict(report.substitutes), dict(report.dtypes)) == ((), {}, {"float32": 627})
    assert_same(networks, network, original)


@pytest.mark.parametrize("heads", [("camera", "depth"), ("depth",), ("camera", "point"), ()], ids=str)
def test_heads_that_are_not_built_are_left_in_the_file(
    networks: ModuleType, tmp_path: Path, heads: tuple[Head, ...]
) -> None:
    weights = networks.weights("vggt")
    network = empty(networks, heads)
    report = load_weights(network, saved(tmp_path, "pt", weights), RULES)
    asked = tuple(f"{head}_head." for head in heads)
    left = {name for name in weights if "_head." in name and not name.startswith(asked or "nothing")}
    assert set(report.ignored) == left and report.tensors == 627 - len(left)


def test_a_file_without_tracks_serves_where_none_are_asked(networks: ModuleType, tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, "safetensors", without(networks.weights("vggt"), "track_head.", "point_head."))
    network = empty(networks, ("camera", "depth"))
    assert load_weights(network, checkpoint, RULES).ignored == ()
    assert_same(networks, network, networks.make_vggt(heads=("camera", "depth")))


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        (("track_head.",), "has no weights for point tracks: do without"),
        (("point_head.",), "has no weights for the point map: do without"),
        (("point_head.", "track_head."), "has no weights for the point map and point tracks: do without"),
    ],
)
def test_heads_that_a_file_does_not_have_are_named(
    networks: ModuleType, tmp_path: Path, absent: tuple[str, ...], said: str
) -> None:
    checkpoint = saved(tmp_path, "pt", without(networks.weights("vggt"), *absent))
    network = empty(networks, ALL_HEADS)
    with pytest.raises(WeightsError) as caught:
        load_weights(network, checkpoint, RULES)
    assert said in caught.value.sentence and caught.value.sentence.startswith(str(checkpoint.path))
    assert all(parameter.is_meta for parameter in network.parameters())  # nothing was changed


def test_a_head_that_is_there_in_part_is_another_matter(networks: ModuleType, tmp_path: Path) -> None:
    weights = without(networks.weights("vggt"), "track_head.tracker.fmap_norm.")
    with pytest.raises(WeightsError, match="2 tensors are missing"):
        load_weights(empty(networks, ALL_HEADS), saved(tmp_path, "pt", weights), RULES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"aggregator.camera_token": None}, "1 tensor is missing"),
        ({"aggregator.camera_token": torch.zeros(1, 2, 1, 65)}, "1 tensor does not fit"),
        ({"aggregator.other": torch.zeros(3)}, "1 tensor is unknown"),
    ],
    ids=["missing", "another shape", "unknown"],
)
def test_other_weights_are_refused(
    networks: ModuleType, tmp_path: Path, change: dict[str, Tensor | None], said: str
) -> None:
    weights = {**networks.weights("vggt"), **change}
    weights = {name: tensor for name, tensor in weights.items() if tensor is not None}
    network = empty(networks, ("camera", "depth"))
    with pytest.raises(WeightsError, match="does not hold the weights of VGGT") as caught:
        load_weights(network, saved(tmp_path, "pt", weights), RULES)
    assert said in caught.value.sentence
    assert all(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_files_are_widened_if_asked(networks: ModuleType, tmp_path: Path, kind: torch.dtype) -> None:
    stored = {name: tensor.to(kind) for name, tensor in networks.weights("vggt").items()}
    network = empty(networks, ("camera", "depth"))
    report = load_weights(network, saved(tmp_path, "safetensors", stored), RULES, dtype=torch.float32)
    assert set(report.dtypes) == {"float32"}
    output = network(networks.pictures((1, 2, 3, *SIZE)))
    assert output.depth.dtype == torch.float32
    exact = networks.make_vggt(heads=("camera", "depth"))(networks.pictures((1, 2, 3, *SIZE)))
    assert networks.typical(output.depth, exact.depth) < (2e-2 if kind == torch.bfloat16 else 2e-3)
