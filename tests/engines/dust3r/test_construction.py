"""The network has the published names, shapes and dtypes, and is made without memory or time."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vggt_addon.engines.dust3r.config import FULL, Dust3rConfig
from vggt_addon.engines.dust3r.network import DUSt3R

Shared = Callable[[str], Path]


def on_meta(config: Dust3rConfig) -> DUSt3R:
    with torch.device("meta"):
        return DUSt3R(config)


@pytest.mark.parametrize("size", ["dust3r", "dust3r_small"])
def test_names_and_shapes_are_the_published_ones(networks: ModuleType, size: str) -> None:
    network = on_meta(FULL if size == "dust3r" else networks.DUST3R_SMALL)
    state = network.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == networks.goldens.keys(size)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert not list(network.buffers())


def test_four_layers_of_each_head_have_two_names(shared: Shared) -> None:
    record = json.loads(shared("reference/dust3r/state_dict.json").read_text(encoding="utf-8"))
    state = on_meta(FULL).state_dict(keep_vars=True)
    found = {name: [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")] for name, tensor in state.items()}
    assert found == record["tensors"]
    names: dict[int, set[str]] = {}
    for name, tensor in state.items():
        names.setdefault(id(tensor), set()).add(name)
    assert sorted(map(sorted, (both for both in names.values() if len(both) > 1))) == sorted(
        sorted(pair) for pair in record["same_tensor"].items()
    )
    assert sum(parameter.numel() for parameter in on_meta(FULL).parameters()) == record["distinct_parameters"]


def test_made_on_the_meta_device_in_no_time() -> None:
    started = time.process_time()
    network = on_meta(FULL)
    assert time.process_time() - started < 2
    assert all(parameter.is_meta for parameter in network.parameters())


def test_the_defaults_are_the_published_sizes() -> None:
    reduced = {
        "patch": 16,
        "encoder": {"width": 1024, "blocks": 24, "heads": 16},
        "decoder": {"width": 768, "blocks": 12, "heads": 12},
        "dense_head": {"projections": [96, 192, 384, 768], "features": 256},
    }
    assert Dust3rConfig.reduced(reduced) == FULL
    assert FULL.steps_read == (6, 9, 12)
    with pytest.raises(KeyError, match="decoder"):
        Dust3rConfig.reduced({name: sizes for name, sizes in reduced.items() if name != "decoder"})
