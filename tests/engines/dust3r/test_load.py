"""DUSt3R's weights from the store: found, loaded in the precision asked for, kept; and a run with them."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.engines.networks import DUST3R_SMALL, judge_dust3r, weights
from vggt_addon.engines.dust3r import load as load_module
from vggt_addon.engines.dust3r import run as run_module
from vggt_addon.engines.dust3r.load import Loaded, WarmLoader, load, weights_memory
from vggt_addon.engines.dust3r.network import DUSt3R
from vggt_addon.engines.dust3r.plan import Plan
from vggt_addon.engines.dust3r.run import Inputs, run, similarity
from vggt_addon.engines.layers.chunks import Chunks, no_step
from vggt_addon.engines.layers.devices import Device
from vggt_addon.errors import EngineError, WeightsError
from vggt_addon.progress import never, no_progress
from vggt_addon.settings import NetworkSettings
from vggt_addon.weights.catalogue import find_entry
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.convert import write_source
from vggt_addon.weights.saving import save_checkpoint
from vggt_addon.weights.store import Store, StoredWeights

PROCESSOR = Device(torch.device("cpu"), "the processor", 10**12, torch.float32)
PLAN = Plan(Chunks(), 0, 0, None)


@pytest.fixture
def stored(tmp_path: Path) -> StoredWeights:
    """The reduced network's weights, put into a store as the converter does."""
    store, file = Store(tmp_path / "store"), tmp_path / "recipe.safetensors"
    tensors = {name: tensor for name, tensor in weights("dust3r").items() if "scratch.layer_rn." not in name}
    save_checkpoint(file, tensors, {"format": "pt"})
    store.folder.mkdir()
    entry = find_entry("dust3r-512-dpt")
    write_source(open_checkpoint(file), store, entry, "a test", "a" * 64, lambda *_: None, lambda: False)
    return store.require(entry.id)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_loads_in_the_precision_that_is_asked_for(stored: StoredWeights, dtype: torch.dtype) -> None:
    loaded = load(stored, PROCESSOR, dtype, DUST3R_SMALL)
    network: Any = loaded.network
    assert network.enc_blocks[0].attn.qkv.weight.dtype == dtype
    assert network.downstream_head1.dpt.head[0].weight.dtype == torch.float32
    assert loaded.converted == (dtype != torch.float32)
    assert loaded.record == {"name": "dust3r-512-dpt", "sha256": "a" * 64, "licence": "CC BY-NC-SA 4.0"}
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (1, 3, 32, 48), np.uint8))
    encoded = network.encode(pictures, Chunks(), no_step)
    said = network.decode(encoded, encoded, Chunks(), no_step)
    wanted = judge_dust3r(pictures, pictures, torch.float32)
    tolerance = 1e-4 if dtype == torch.float32 else 0.2
    assert float((said.first.points - wanted["pts3d_1"]).norm() / wanted["pts3d_1"].norm()) < tolerance


def test_the_memory_of_the_weights_is_told_before_they_are_there() -> None:
    assert weights_memory(torch.float32) == pytest.approx(find_entry("dust3r-512-dpt").size, rel=0.02)
    assert weights_memory(torch.bfloat16) < 0.6 * weights_memory(torch.float32)


def test_the_last_network_is_kept(stored: StoredWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[StoredWeights] = []

    def counted(stored: StoredWeights, device: Device, dtype: torch.dtype) -> Loaded:
        made.append(stored)
        return load(stored, device, dtype, DUST3R_SMALL)

    monkeypatch.setattr(load_module, "load", counted)
    loader, settings = WarmLoader(), NetworkSettings(weights_folder=str(stored.path.parent))
    first = loader(settings, PROCESSOR, torch.float32)
    assert loader(settings, PROCESSOR, torch.float32) is first and len(made) == 1
    assert loader.holds(settings, PROCESSOR, torch.float32)
    with pytest.raises(WeightsError, match="choose one of DUSt3R's"):
        loader(NetworkSettings(weights="vggt-1b"), PROCESSOR, torch.float32)
    with pytest.raises(WeightsError, match="weights download dust3r-512-dpt"):
        loader(NetworkSettings(weights_folder=str(stored.path.parent / "none")), PROCESSOR, torch.float32)


# --- all pairs


def inputs(count: int, size: tuple[int, int] = (32, 48)) -> Inputs:
    random = np.random.default_rng(0)
    shown = [np.ones(size, np.bool_) for _ in range(count)]
    shown[0][:, :5] = False
    images = tuple(random.integers(0, 255, (*size, 3), np.uint8) for _ in range(count))
    return Inputs(images, tuple(shown), ((1.0, 1.0),) * count)


@pytest.fixture
def small(networks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> DUSt3R:
    monkeypatch.setattr(run_module, "FULL", DUST3R_SMALL)
    network: DUSt3R = networks.make_dust3r()
    return network


def test_every_pair_is_what_the_network_says_of_it(small: DUSt3R) -> None:
    given = inputs(3)
    told: list[float] = []
    answer = run(
        small, given, [PLAN], PROCESSOR, sequence=False, progress=lambda _, done: told.append(done), cancel=never
    )
    maps = answer.maps
    assert maps is not None and len(maps.edges) == 6
    pictures = [torch.from_numpy(image).permute(2, 0, 1)[None] for image in given.images]
    for number, (i, j) in enumerate(maps.edges):
        said = small(pictures[i], pictures[j])
        for side, one in enumerate((said.first, said.second)):
            points, confidence = maps.map(number, side)
            torch.testing.assert_close(points.T.reshape(32, 48, 3), one.points[0], rtol=1e-4, atol=1e-5)
            shown = torch.from_numpy(given.shown[(i, j)[side]])
            torch.testing.assert_close(confidence.reshape(32, 48)[shown], one.confidence[0][shown], rtol=1e-4, atol=0)
            assert bool((confidence.reshape(32, 48)[~shown] == 1).all())
    assert told == sorted(told) and told[-1] == 1


def test_memory_that_runs_out_is_tried_with_less(small: DUSt3R, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = small.decode

    def greedy(*arguments: Any) -> Any:
        if arguments[2].rows > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(*arguments)

    monkeypatch.setattr(small, "decode", greedy)
    frugal = Plan(Chunks(rows=8), 0, 0, None)
    stages: list[str] = []
    answer = run(
        small,
        inputs(2),
        [PLAN, frugal],
        PROCESSOR,
        sequence=False,
        progress=lambda stage, _: stages.append(stage),
        cancel=never,
    )
    assert answer.plan is frugal and "Memory ran out: trying with less" in stages
    with pytest.raises(EngineError, match="memory of the processor ran out with 2 photos"):
        run(small, inputs(2), [PLAN], PROCESSOR, sequence=False, progress=no_progress, cancel=never)


def test_other_failures_are_not_taken_for_it(small: DUSt3R, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(small, "decode", broken)
    with pytest.raises(RuntimeError, match="a fault"):
        run(small, inputs(2), [PLAN, PLAN], PROCESSOR, sequence=False, progress=no_progress, cancel=never)


def test_photos_that_look_alike_are_similar(small: DUSt3R) -> None:
    random = np.random.default_rng(1)
    bases = [random.integers(0, 255, (32, 48, 3)) for _ in range(2)]
    images = [np.clip(base + random.integers(-9, 9, base.shape), 0, 255).astype(np.uint8) for base in bases * 2]
    pictures = [torch.from_numpy(image).permute(2, 0, 1)[None] for image in images]
    alike = similarity([small.encode(picture) for picture in pictures])
    assert alike.shape == (4, 4)
    assert min(alike[0, 2], alike[1, 3]) > max(alike[0, 1], alike[0, 3], alike[1, 2], alike[2, 3])
