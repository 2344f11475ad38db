"""Files of weights into the real network: two names of one layer, one decoder for two, the pretraining's rest."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from vggt_addon.engines.dust3r.checkpoint_rules import RULES
from vggt_addon.engines.dust3r.network import DUSt3R
from vggt_addon.errors import WeightsError
from vggt_addon.weights.checkpoint import Checkpoint, open_checkpoint
from vggt_addon.weights.loading import load_weights
from vggt_addon.weights.saving import save_checkpoint

SIZE = (16, 32)
LISTED, NUMBERED = "scratch.layer_rn.", tuple(f"scratch.layer{number}_rn." for number in (1, 2, 3, 4))


def saved(folder: Path, kind: str, tensors: Mapping[str, Tensor]) -> Checkpoint:
    path = folder / f"weights.{kind}"
    if kind == "safetensors":
        save_checkpoint(path, tensors, {"network": "dust3r"})
    else:
        torch.save({"args": argparse.Namespace(model="AsymmetricCroCo3DStereo"), "model": dict(tensors)}, path)
    return open_checkpoint(path)


def empty(networks: ModuleType) -> DUSt3R:
    with torch.device("meta"):
        return DUSt3R(networks.DUST3R_SMALL)


def assert_same(networks: ModuleType, network: DUSt3R, original: DUSt3R) -> None:
    """The same numbers to the bit, and so the same answer (but for sums in another order: their places in memory,
    which matrix products look at, differ)."""
    state, wanted_state = network.state_dict(), original.state_dict()
    assert state.keys() == wanted_state.keys()
    assert all(torch.equal(state[name], wanted_state[name]) for name in wanted_state)
    pictures = [networks.pictures((1, 3, *SIZE), seed) for seed in (0, 1)]
    found, wanted = (networks.dust3r_outputs(made(*pictures)) for made in (network, original))
    assert all(networks.largest(found[name], wanted[name]) < 2e-5 for name in wanted)


def assert_loads(networks: ModuleType, checkpoint: Checkpoint) -> dict[str, str]:
    """The network gives what it should; both names of a layer are one tensor. Returns the substitutes."""
    network = empty(networks)
    report = load_weights(network, checkpoint, RULES)
    assert report.tensors == 757 - 8
    assert_same(networks, network, networks.make_dust3r())
    for head in (network.downstream_head1, network.downstream_head2):
        scratch = head.dpt.scratch
        layers = (scratch.layer1_rn, scratch.layer2_rn, scratch.layer3_rn, scratch.layer4_rn)
        assert all(layer.weight is listed.weight for layer, listed in zip(layers, scratch.layer_rn, strict=True))
    return dict(report.substitutes)


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize("names", ["both", "listed", "numbered"])
def test_either_name_of_a_layer_or_both(networks: ModuleType, tmp_path: Path, kind: str, names: str) -> None:
    weights = {
        name: tensor
        for name, tensor in networks.weights("dust3r").items()
        if names == "both" or not any(part in name for part in (NUMBERED if names == "listed" else (LISTED,)))
    }
    assert len(weights) == (757 if names == "both" else 749)
    substitutes = assert_loads(networks, saved(tmp_path, kind, weights))
    assert len(substitutes) == (0 if names == "both" else 8)


def test_a_network_that_was_saved_holds_each_layer_once(networks: ModuleType, tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, "safetensors", networks.make_dust3r().state_dict())
    assert len(checkpoint.tensors) == 749
    assert_loads(networks, checkpoint)


def test_two_names_with_different_numbers_are_refused(networks: ModuleType, tmp_path: Path) -> None:
    name = "downstream_head2.dpt.scratch.layer_rn.3.weight"
    weights = {**networks.weights("dust3r"), name: networks.weights("dust3r")[name] + 1}
    with pytest.raises(WeightsError, match="is there twice and differs"):
        load_weights(empty(networks), saved(tmp_path, "pth", weights), RULES)


def test_one_decoder_serves_as_both(networks: ModuleType, tmp_path: Path) -> None:
    weights = networks.weights("dust3r")
    checkpoint = saved(tmp_path, "pth", {name: value for name, value in weights.items() if "dec_blocks2." not in name})
    network = empty(networks)
    report = load_weights(network, checkpoint, RULES)
    copied = {name for name in weights if name.startswith("dec_blocks2.")}
    assert set(report.substitutes) == copied
    state = network.state_dict()
    assert all(torch.equal(state[name], weights[name.replace("dec_blocks2.", "dec_blocks.")]) for name in copied)
    wanted = networks.make_dust3r()
    wanted.dec_blocks2.load_state_dict(wanted.dec_blocks.state_dict())
    assert_same(networks, network, wanted)


def test_half_a_second_decoder_is_not_filled_up(networks: ModuleType, tmp_path: Path) -> None:
    weights = {name: value for name, value in networks.weights("dust3r").items() if "dec_blocks2.3." not in name}
    with pytest.raises(WeightsError, match="24 tensors are missing"):
        load_weights(empty(networks), saved(tmp_path, "pth", weights), RULES)


def test_what_the_pretraining_left_is_not_loaded(networks: ModuleType, tmp_path: Path) -> None:
    left = {
        "prediction_head.weight": torch.zeros(4, 48),
        "prediction_head.bias": torch.zeros(4),
        "enc_pos_embed": torch.zeros(1, 9, 64),
        "dec_pos_embed": torch.zeros(1, 9, 48),
    }
    network = empty(networks)
    report = load_weights(network, saved(tmp_path, "pth", {**networks.weights("dust3r"), **left}), RULES)
    assert report.ignored == tuple(sorted(left))
    with pytest.raises(WeightsError, match="1 tensor is unknown"):
        weights = {**networks.weights("dust3r"), "another_head.weight": torch.zeros(4)}
        load_weights(empty(networks), saved(tmp_path, "pth", weights), RULES)


def test_the_rules_name_what_the_published_record_does(networks: ModuleType) -> None:
    keys = networks.goldens.keys("dust3r")
    assert len(RULES.aliases) == 8
    assert all({first, second} <= set(keys) and keys[first] == keys[second] for first, second in RULES.aliases.items())
