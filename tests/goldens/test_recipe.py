"""The recipe gives the values it always gave, and the copies here are what the shared references hold."""

import hashlib
import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

Helper = Callable[[str], ModuleType]
Shared = Callable[[str], Path]
HERE = Path(__file__).parent
COPIES = {
    "vggt_small_a.npz": "reference/vggt/small_a.npz",
    "vggt_small_b.npz": "reference/vggt/small_b.npz",
    "vggt_small_c.npz": "reference/vggt/small_c.npz",
    "dust3r_small_pair_a.npz": "reference/dust3r/small_pair_a.npz",
    "dust3r_small_pair_b.npz": "reference/dust3r/small_pair_b.npz",
}


@pytest.fixture(scope="module")
def recipe(helper: Helper) -> ModuleType:
    return helper("goldens/recipe.py")


@pytest.fixture(scope="module")
def goldens(helper: Helper) -> ModuleType:
    return helper("goldens/golden.py")


@pytest.mark.parametrize(
    ("key", "shape", "start"),
    [
        ("aggregator.camera_token", (1, 2, 1, 1024), [-0.1801433, -0.23299292, 0.13569668, -0.12934265]),
        ("depth_head.projects.0.weight", (256, 2048, 1, 1), [0.030245183, 0.011144717, 0.0021637867, -0.033465505]),
    ],
)
def test_values_begin_as_written_down(recipe: ModuleType, key: str, shape: tuple[int, ...], start: list[float]) -> None:
    values = recipe.value(key, shape)
    assert values.dtype == np.float32 and values.shape == shape
    assert values.ravel()[:4].tolist() == np.array(start, np.float32).tolist()


@pytest.mark.parametrize(
    ("key", "shape", "mean", "deviation"),
    [
        ("a.ls1.gamma", (4096,), 0.2, 0.05),
        ("a.norm1.weight", (4096,), 1.0, 0.1),
        ("a.attn.q_norm.weight", (4096,), 1.5, 0.1),
        ("a.bias", (4096,), 0.0, 0.1),
        ("a.fc1.weight", (64, 256), 0.0, 1 / 16),
        ("a.resize_layers.0.weight", (256, 4, 4, 4), 0.0, 1 / 16),  # transposed: the first axis counts
        ("a.resConfUnit1.conv2.weight", (64, 256, 1, 1), 0.0, 0.5 / 16),
        ("a.pos_embed", (4096,), 0.0, 0.3),
    ],
)
def test_values_by_kind(recipe: ModuleType, key: str, shape: tuple[int, ...], mean: float, deviation: float) -> None:
    values = recipe.value(key, shape)
    assert values.mean() == pytest.approx(mean, abs=deviation / 20)
    assert values.std() == pytest.approx(deviation, rel=0.05)
    assert not np.array_equal(values, recipe.value(key, shape, 1))  # the seed counts


@pytest.mark.parametrize("name", ["small_a", "small_b", "small_c"])
def test_pictures_of_the_goldens_are_the_recipes(recipe: ModuleType, goldens: ModuleType, name: str) -> None:
    stored = goldens.read(HERE / f"vggt_{name}.npz").arrays["images_u8"]
    assert np.array_equal(recipe.image(f"image.{name}", stored.shape), stored)


@pytest.mark.parametrize(
    ("name", "count", "parameters"),
    [("vggt", 1797, 1_256_537_516), ("vggt_small", 627, 2_720_716), ("dust3r", 1009, 571_171_208)],
)
def test_keys_are_as_many_as_published(goldens: ModuleType, name: str, count: int, parameters: int) -> None:
    keys = goldens.keys(name)
    assert len(keys) == count
    assert sum(math.prod(shape) for key, shape in keys.items() if "layer_rn." not in key) == parameters


def test_reduced_networks_have_keys_of_the_published_ones(goldens: ModuleType) -> None:
    for name in ("vggt", "dust3r"):
        assert set(goldens.keys(f"{name}_small")) < set(goldens.keys(name))


def test_weights_of_two_names_are_equal(goldens: ModuleType, recipe: ModuleType) -> None:
    first, second = "side.scratch.layer2_rn.weight", "side.scratch.layer_rn.1.weight"
    weights = goldens.recipe_weights({first: (4, 3), second: (4, 3)}, 0, torch.float64)
    assert torch.equal(weights[first], weights[second])
    assert weights[first].dtype == torch.float64
    assert np.array_equal(weights[first].numpy(), recipe.value(first, (4, 3)).astype(np.float64))


def test_error_is_relative_to_the_spread_and_sees_what_is_no_number(goldens: ModuleType) -> None:
    wanted = np.array([3.0, -3.0], np.float32)
    assert goldens.error(torch.tensor([3.0, -2.7], dtype=torch.float64), wanted) == pytest.approx(0.1)
    assert goldens.error(torch.tensor([3.0, float("nan")]), wanted) == math.inf
    with pytest.raises(AssertionError, match="shape"):
        goldens.error(torch.zeros(1), wanted)


def test_comparison_takes_the_part_that_is_stored(goldens: ModuleType) -> None:
    tokens = torch.arange(4 * 6 * 8.0).view(4, 1, 1, 6, 8)
    depth = torch.arange(2 * 9 * 7.0).view(1, 2, 9, 7, 1)
    meta = {"network": "vggt", "dense_stride": 4, "token_index": [0, 2, -1], "channel_step": 4}
    meta["tolerance_float32"] = {"token_samples": 1e-6, "depth": 1e-6, "tokens": 1e-6}
    stored = {
        "token_samples": tokens[:, :, :, [0, 2, 5]][..., [0, 4]].numpy(),
        "depth": depth[:, :, [0, 4, 8]][:, :, :, [0, 4]].numpy(),
        "tokens": tokens[3:].numpy(),
    }
    golden = goldens.Golden(meta, stored)
    found = goldens.errors({"tokens": tokens, "depth": depth}, golden, torch.float32)
    assert found == dict.fromkeys(stored, (0.0, 1e-6))
    golden.arrays["depth"][0, 0, 0, 0] += 1
    assert goldens.errors({"tokens": tokens, "depth": depth}, golden, torch.float32)["depth"][0] > 1e-3


@pytest.mark.parametrize("name", COPIES)
def test_goldens_are_the_shared_ones(shared: Shared, name: str) -> None:
    assert (
        hashlib.sha256((HERE / name).read_bytes()).digest()
        == hashlib.sha256(shared(COPIES[name]).read_bytes()).digest()
    )


def test_keys_are_the_shared_ones(shared: Shared, goldens: ModuleType) -> None:
    def read(name: str, *of: str) -> dict[str, tuple[int, ...]]:
        found = json.loads(shared(f"reference/{name}").read_text(encoding="utf-8"))
        for key in of:
            found = found[key]
        return {key: tuple(shape[0]) if isinstance(shape[0], list) else tuple(shape) for key, shape in found.items()}

    assert goldens.keys("vggt") == read("vggt/state_dict.json", "tensors")
    assert goldens.keys("vggt_small") == read("vggt/state_dict_small.json")
    assert goldens.keys("dust3r") == read("dust3r/state_dict.json", "tensors")
    assert goldens.keys("dust3r_small") == read("dust3r/state_dict.json", "small_tensors")


def test_recipe_gives_the_values_of_the_shared_one(shared: Shared, recipe: ModuleType, goldens: ModuleType) -> None:
    spec = importlib.util.spec_from_file_location("shared_recipe", shared("reference/vggt/recipe.py"))
    assert spec is not None and spec.loader is not None
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)

    def digest(module: ModuleType) -> bytes:
        total = hashlib.sha256()
        for seed, name in enumerate(("vggt_small", "dust3r_small")):
            for key, shape in goldens.keys(name).items():
                total.update(module.value(key, shape, seed).tobytes())
        for key in ("x.qkv.bias_mask", "x.periods", "x.camera_branch.2.bias", "x.dense_head.proj.weight"):
            total.update(module.value(key, (9,) if key.endswith(("bias", "periods", "mask")) else (9, 5)).tobytes())
        total.update(module.image("image.any", (1, 3, 5, 7), 2).tobytes())
        return total.digest()

    assert digest(recipe) == digest(original)
