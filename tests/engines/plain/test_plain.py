"""The plain networks reproduce the goldens, and the goldens notice the mistakes that are easily made."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

Helper = Callable[[str], ModuleType]
GOLDENS = Path(__file__).parent.parent.parent / "goldens"
DTYPES = [torch.float64, torch.float32]


@pytest.fixture(scope="module")
def goldens(helper: Helper) -> ModuleType:
    return helper("goldens/golden.py")


@pytest.fixture
def vggt(helper: Helper) -> ModuleType:
    return helper("engines/plain/vggt.py")


def vggt_errors(vggt: ModuleType, goldens: ModuleType, path: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Error and tolerance of every array that the golden at `path` compares."""
    golden = goldens.read(path)
    weights = goldens.recipe_weights(goldens.golden_keys(golden), golden.meta["seed"], dtype)
    points = golden.arrays.get("query_points")
    query = None if points is None else torch.from_numpy(points)
    outputs = vggt.run(weights, golden.image("images_u8", dtype), vggt.dimensions(golden.meta), query)
    assert all(array.dtype == dtype for array in outputs.values())
    found: dict[str, Any] = goldens.errors(outputs, golden, dtype)
    return found


def assert_within(found: dict[str, Any]) -> None:
    assert found
    for name, (error, tolerance) in found.items():
        assert error <= tolerance, f"{name}: {error:.2e} where {tolerance:.0e} is allowed"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["vggt_small_a", "vggt_small_b", "vggt_small_c"])
def test_vggt_equals_its_goldens(vggt: ModuleType, goldens: ModuleType, name: str, dtype: torch.dtype) -> None:
    assert_within(vggt_errors(vggt, goldens, GOLDENS / f"{name}.npz", dtype))


def unrectified(plain: ModuleType) -> Callable[..., Tensor]:
    """The residual unit whose skip carries x itself."""
    right = plain.residual_unit

    def wrong(weights: Any, name: str, x: Tensor) -> Tensor:
        y: Tensor = right(weights, name, x) - x.relu() + x
        return y

    return wrong
