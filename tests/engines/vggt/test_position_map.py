"""Two small tables are the full map, to the bit."""

import math

import pytest
import torch

from vggt_addon.engines.vggt.position_map import position_map


def full_map(height: int, width: int, channels: int, aspect: float) -> torch.Tensor:
    """(channels, height, width) as the network's description has it: in float64, rounded to float32, times 0.1."""
    reach_x, reach_y = aspect / math.sqrt(aspect**2 + 1), 1 / math.sqrt(aspect**2 + 1)
    ends_x, ends_y = reach_x * (width - 1) / width, reach_y * (height - 1) / height
    u = torch.linspace(-ends_x, ends_x, width, dtype=torch.float64)
    v = torch.linspace(-ends_y, ends_y, height, dtype=torch.float64)
    v, u = torch.meshgrid(v, u, indexing="ij")
    quarter = channels // 4
    frequencies = torch.tensor([100 ** (-k / quarter) for k in range(quarter)], dtype=torch.float64)[:, None, None]
    waves = [(u * frequencies).sin(), (u * frequencies).cos(), (v * frequencies).sin(), (v * frequencies).cos()]
    return 0.1 * torch.cat(waves).to(torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("height", "width", "channels", "aspect"),
    [
        (28, 37, 256, 518 / 392),
        (28, 37, 1024, 518 / 392),
        (392, 518, 128, 518 / 392),
        (518, 518, 128, 1.0),
        (7, 10, 16, 140 / 98),
        (1, 1, 8, 1.0),
        (1, 9, 40, 9.0),
        (9, 1, 12, 1 / 9),
    ],
)
def test_equal_to_the_full_map_to_the_bit(
    height: int, width: int, channels: int, aspect: float, dtype: torch.dtype
) -> None:
    made = position_map(height, width, channels, aspect, torch.zeros((), dtype=dtype))
    assert made.columns.shape == (width, channels // 2) and made.rows.shape == (height, channels // 2)
    found = made.add_to(torch.zeros(1, channels, height, width, dtype=dtype))
    assert torch.equal(found[0], full_map(height, width, channels, aspect).to(dtype))


def test_a_band_takes_its_own_rows_and_adds_in_place() -> None:
    made = position_map(9, 5, 8, 5 / 9, torch.zeros(()))
    maps = torch.rand(2, 8, 9, 5, generator=torch.Generator().manual_seed(0))
    whole = made.add_to(maps.clone())
    band = maps[:, :, 3:7].clone()
    assert made.add_to(band, 3) is band
    assert torch.equal(band, whole[:, :, 3:7])


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_angles_are_not_rounded_to_half_precision(half: torch.dtype) -> None:
    made = position_map(6, 300, 16, 1.5, torch.zeros((), dtype=half))
    exact = position_map(6, 300, 16, 1.5, torch.zeros(()))
    assert made.columns.dtype == half
    assert torch.equal(made.columns, exact.columns.to(half))  # rounded once, at the end
