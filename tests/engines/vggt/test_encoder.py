"""The encoder's table of positions at other grids than the trained one, and its pictures."""

from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

Float = NDArray[np.float64]


def cubic(x: Float) -> Float:
    """Keys' kernel with a = -1/2, the one of resizing with antialiasing."""
    x, a = np.abs(x), -0.5
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resampling(source: int, target: int) -> Float:
    """(target, source): each row the weights of one new sample; half-pixel centres, wider where it shrinks."""
    step = source / target
    wide = max(step, 1.0)
    centres = step * (np.arange(target) + 0.5)
    weights = cubic((np.arange(source) + 0.5 - centres[:, None]) / wide)
    found: Float = weights / weights.sum(1, keepdims=True)
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "grid", [(7, 10), (9, 8), (10, 9), (1, 1), (1, 4), (4, 1), (2, 1), (9, 1), (1, 9), (20, 1), (28, 37), (37, 28)]
)
def test_positions_are_resampled_with_antialiasing(
    networks: ModuleType, grid: tuple[int, int], dtype: torch.dtype
) -> None:
    encoder = networks.make_vggt(dtype, ("camera",)).aggregator.patch_embed
    side = encoder.table_side
    table = encoder.pos_embed.detach().double().numpy()
    by_row, by_column = resampling(side, grid[0]), resampling(side, grid[1])
    wanted = np.einsum("yh,xw,hwc->yxc", by_row, by_column, table[0, 1:].reshape(side, side, -1))
    with torch.inference_mode():
        found = encoder._positions(*grid).double().numpy()
    assert np.array_equal(found[0, 0], table[0, 0])  # the class token's entry is no place
    # Torch blends in float32, with weights that are rounded too.
    np.testing.assert_allclose(found[0, 1:].reshape(wanted.shape), wanted, atol=1e-5, rtol=0)
    assert (encoder._positions(*grid).dtype, found.shape[1]) == (dtype, 1 + grid[0] * grid[1])


def test_the_trained_grid_is_taken_as_it_is(networks: ModuleType) -> None:
    encoder = networks.make_vggt(heads=("camera",)).aggregator.patch_embed
    assert encoder._positions(9, 9) is encoder.pos_embed


def test_bytes_and_values_from_0_to_1_are_the_same_picture(networks: ModuleType) -> None:
    encoder = networks.make_vggt(torch.float64, ("camera",)).aggregator.patch_embed
    photo = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8).expand(1, 3, 2, 2)
    normalised = encoder._normalised(photo)
    assert torch.equal(normalised, encoder._normalised(photo.double() / 255))
    white = (1 - torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)) / torch.tensor(
        [0.229, 0.224, 0.225], dtype=torch.float64
    )
    torch.testing.assert_close(normalised[0, :, 0, 1], white, rtol=1e-12, atol=0)
