"""The network has the published names, shapes and dtypes, and is made without memory or time."""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vggt_addon.engines.vggt.config import FULL, VggtConfig
from vggt_addon.engines.vggt.network import ALL_HEADS, VGGT, Head

Shared = Callable[[str], Path]
PREFIXES: dict[Head, str] = {
    "camera": "camera_head.",
    "depth": "depth_head.",
    "point": "point_head.",
    "track": "track_head.",
}
SUBSETS = [set(heads) for count in range(5) for heads in itertools.combinations(ALL_HEADS, count)]


def on_meta(config: VggtConfig, heads: set[Head]) -> VGGT:
    with torch.device("meta"):
        return VGGT(config, heads)


@pytest.mark.parametrize("heads", SUBSETS, ids=str)
@pytest.mark.parametrize("size", ["vggt", "vggt_small"])
def test_names_and_shapes_are_the_published_ones(networks: ModuleType, size: str, heads: set[Head]) -> None:
    """Nothing of a head that was not asked for is there."""
    network = on_meta(FULL if size == "vggt" else networks.VGGT_SMALL, heads)
    unasked = tuple(PREFIXES[head] for head in PREFIXES if head not in heads)
    wanted = {name: shape for name, shape in networks.goldens.keys(size).items() if not name.startswith(unasked)}
    state = network.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == wanted
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert {name for name, _ in network.named_parameters()} == set(wanted)  # no buffers, no second names
    assert not [name for name, module in network.named_modules() if f"{name}.".startswith(unasked or "nothing")]


def test_names_shapes_and_dtypes_of_the_published_record(shared: Shared) -> None:
    tensors = json.loads(shared("reference/vggt/state_dict.json").read_text(encoding="utf-8"))["tensors"]
    state = on_meta(FULL, set(ALL_HEADS)).state_dict()
    found = {name: [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")] for name, tensor in state.items()}
    assert found == tensors


def test_cameras_and_depth_unless_asked_otherwise() -> None:
    with torch.device("meta"):
        network = VGGT()
    assert network.camera_head is not None and network.depth_head is not None
    assert network.point_head is None and network.track_head is None
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_256_537_516 - 32_654_628 - 65_941_396


def test_made_on_the_meta_device_in_no_time() -> None:
    """1.26 billion parameters, none of which is made: an allocation of theirs or an initialisation takes seconds."""
    started = time.process_time()
    network = on_meta(FULL, set(ALL_HEADS))
    assert time.process_time() - started < 2
    assert all(parameter.is_meta for parameter in network.parameters())
    assert not list(network.buffers())


def test_the_defaults_are_the_published_sizes() -> None:
    reduced = {
        "patch": 14,
        "image_table": 37,
        "encoder": {"width": 1024, "blocks": 24, "heads": 16, "registers": 4},
        "alternating": {"width": 1024, "pairs": 24, "heads": 16},
        "outputs": [4, 11, 17, 23],
        "camera_head": {"width": 2048, "blocks": 4, "heads": 16, "iterations": 4, "hidden": 1024},
        "dense_head": {"input": 2048, "projections": [256, 512, 1024, 1024], "features": 256},
        "tracker": {
            "features": 128,
            "pyramid_levels": 7,
            "radius": 4,
            "width": 384,
            "heads": 8,
            "time_blocks": 6,
            "space_blocks": 6,
            "virtual_tracks": 64,
            "flow_embedding_per_axis": 64,
        },
    }
    assert VggtConfig.reduced(reduced) == FULL
    with pytest.raises(KeyError, match="tracker"):
        VggtConfig.reduced({name: sizes for name, sizes in reduced.items() if name != "tracker"})


def test_the_smallest_picture_for_tracks_is_the_published_one() -> None:
    head = on_meta(FULL, {"track"}).track_head
    assert head is not None and head.smallest_side == 128
