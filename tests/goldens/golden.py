"""Reading goldens, the weights of the recipe, and the comparison of both; imports torch, numpy and recipe.py."""

import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FOLDER = Path(__file__).parent
DENSE = {"depth", "depth_conf", "world_points", "world_points_conf", "unprojected"}
DENSE |= {"pts3d_1", "conf_1", "pts3d_2_in_1", "conf_2"}


@dataclass(frozen=True)
class Golden:
    """One golden file: what it says of itself, and its arrays."""

    meta: dict[str, Any]  # network, config, reduced, seed, dense_stride, tolerance_float32, tolerance_float64, ...
    arrays: dict[str, NDArray[Any]]  # inputs ("..._u8" uint8, query_points) and outputs, float32

    def image(self, name: str, dtype: torch.dtype) -> Tensor:
        """The stored picture `name` as the networks take it: values 0..1."""
        return torch.from_numpy(self.arrays[name]).to(dtype) / 255


def _recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tests_goldens_recipe", FOLDER / "recipe.py")
    if spec is None or spec.loader is None:
        raise ImportError("recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECIPE = _recipe()


def read(path: Path) -> Golden:
    """The golden file at `path`."""
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # np.load leaves damaged files open
        arrays = {name: file[name] for name in file.files if name != "meta"}
        return Golden(json.loads(str(file["meta"])), arrays)


def keys(name: str) -> dict[str, tuple[int, ...]]:
    """Shape of every key of `name`: "vggt", "vggt_small", "dust3r", "dust3r_small". In a file {0..23} is 24 keys."""
    compact = json.loads((FOLDER / f"{name}_keys.json").read_text(encoding="utf-8"))
    found: dict[str, tuple[int, ...]] = {}
    for key, shape in compact.items():
        stack = re.search(r"\{0\.\.(\d+)\}", key)
        for number in range(int(stack[1]) + 1) if stack else [0]:
            found[re.sub(r"\{.*\}", str(number), key)] = tuple(shape)
    return found


def golden_keys(golden: Golden) -> dict[str, tuple[int, ...]]:
    """Shape of every key of the network that made `golden`."""
    return keys(golden.meta["network"] + ("" if golden.meta["config"] == "full" else "_small"))


def recipe_weights(
    keys_to_shapes: Mapping[str, Sequence[int]], seed: int = 0, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """The recipe's value of every key. DUSt3R stores four convolutions twice; both names get one value."""
    weights = {}
    for key, shape in keys_to_shapes.items():
        name = re.sub(r"scratch\.layer_rn\.(\d)\.", lambda found: f"scratch.layer{int(found[1]) + 1}_rn.", key)
        weights[key] = torch.from_numpy(RECIPE.value(name, shape, seed)).to(dtype)
    return weights


def stored_part(name: str, ours: Tensor, golden: Golden) -> Tensor:
    """What a golden keeps of the whole array `ours`: every dense_stride-th pixel, some tokens, the last outputs."""
    meta = golden.meta
    if name in DENSE and meta["dense_stride"] > 1:
        step = meta["dense_stride"]
        return ours[:, :, ::step, ::step] if meta["network"] == "vggt" else ours[:, ::step, ::step]
    if name == "token_samples":
        return ours[:, :, :, meta["token_index"], :: meta["channel_step"]]
    if name == "tokens":
        return ours[-len(golden.arrays[name]) :]
    return ours


def error(ours: Tensor, wanted: NDArray[Any]) -> float:
    """max |ours - wanted| / rms(wanted); NaN counts as infinite."""
    if tuple(ours.shape) != wanted.shape:
        raise AssertionError(f"shape {tuple(ours.shape)} instead of {wanted.shape}")
    reference = torch.from_numpy(wanted).double()
    off = float((ours.double() - reference).abs().max() / reference.square().mean().sqrt())
    return off if off == off else float("inf")


def errors(outputs: Mapping[str, Tensor], golden: Golden, dtype: torch.dtype) -> dict[str, tuple[float, float]]:
    """Error and tolerance of every array that the golden compares in `dtype`."""
    tolerances = golden.meta["tolerance_float64" if dtype == torch.float64 else "tolerance_float32"]
    found = {}
    for name, tolerance in tolerances.items():
        ours = stored_part(name, outputs["tokens" if name == "token_samples" else name], golden)
        found[name] = error(ours, golden.arrays[name]), float(tolerance)
    return found
