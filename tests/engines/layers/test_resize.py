"""Resizing in bands, and the convolution of a map that is never whole, against torch on whole maps."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vggt_addon.engines.layers.resize import convolve_resized, resize, resize_rows

CLOSE = {torch.float32: 1e-6, torch.float64: 1e-12}
DTYPES = [torch.float32, torch.float64]
# Height and width before and after: larger, smaller, equal, single rows and columns, odd numbers.
SIZES = [
    ((4, 6), (8, 12)),
    ((5, 7), (18, 31)),
    ((7, 5), (3, 4)),
    ((6, 6), (6, 6)),
    ((1, 1), (2, 2)),
    ((1, 5), (7, 9)),
    ((5, 1), (9, 3)),
    ((4, 4), (1, 1)),
    ((3, 4), (1, 8)),
    ((2, 3), (14, 21)),
    ((56, 8), (98, 14)),
    ((224, 3), (392, 5)),
]


def noise(*shape: int, dtype: torch.dtype, last: bool = True) -> Tensor:
    values = torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return values.contiguous(memory_format=torch.channels_last) if last else values


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("before", "after"), SIZES, ids=str)
def test_every_band_is_that_of_the_whole(before: tuple[int, int], after: tuple[int, int], dtype: torch.dtype) -> None:
    maps = noise(2, 3, *before, dtype=dtype)
    kept = maps.clone()
    whole = functional.interpolate(maps, size=after, mode="bilinear", align_corners=True)
    torch.testing.assert_close(resize(maps, after), whole, rtol=0, atol=0)
    for rows in {1, 2, 5, after[0]}:
        for start in range(0, after[0], rows):
            stop = min(start + rows, after[0])
            band = resize_rows(maps, after, start, stop)
            assert band.shape == (2, 3, stop - start, after[1])
            torch.testing.assert_close(band, whole[:, :, start:stop], rtol=0, atol=CLOSE[dtype])
    assert torch.equal(maps, kept)


def test_corners_keep_their_values() -> None:
    maps = noise(1, 2, 5, 4, dtype=torch.float64)
    first, last = resize_rows(maps, (37, 23), 0, 1), resize_rows(maps, (37, 23), 36, 37)
    torch.testing.assert_close(first[..., 0, [0, -1]], maps[..., 0, [0, -1]], rtol=0, atol=1e-13)
    torch.testing.assert_close(last[..., 0, [0, -1]], maps[..., -1, [0, -1]], rtol=0, atol=1e-13)


def test_a_slope_stays_a_slope() -> None:
    slope = (torch.arange(5.0)[:, None] * 10 + torch.arange(4.0))[None, None].double()
    band = resize_rows(slope, (9, 7), 3, 6)[0, 0]
    wanted = torch.arange(3, 6)[:, None] * 5.0 + torch.arange(7) * 0.5
    torch.testing.assert_close(band, wanted.double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("before", "after"), SIZES[:9], ids=str)
def test_convolution_of_a_resized_map(
    before: tuple[int, int], after: tuple[int, int], dtype: torch.dtype, last: bool
) -> None:
    maps = noise(2, 3, *before, dtype=dtype, last=last)
    convolution = nn.Conv2d(3, 4, kernel_size=3, padding=1, dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    convolution.weight.data = torch.randn(4, 3, 3, 3, dtype=dtype, generator=generator) / 5
    mixing = torch.randn(2, 4, 1, 1, dtype=dtype, generator=generator) / 2
    row_values = torch.randn(after[0], dtype=dtype, generator=generator)
    whole = resize(maps, after) + row_values[:, None]
    wanted = functional.conv2d(convolution(whole).relu(), mixing)
    bands: list[tuple[int, int]] = []
    steps: list[None] = []

    def before_convolution(band: Tensor, first: int) -> Tensor:
        bands.append((first, band.shape[2]))
        return band + row_values[first : first + band.shape[2], None]

    for rows in range(1, after[0] + 2):
        bands.clear()
        steps.clear()
        with torch.inference_mode():
            found = convolve_resized(
                maps,
                after,
                convolution,
                rows=rows,
                before=before_convolution,
                after=lambda band: functional.conv2d(band.relu(), mixing),
                channels=2,
                on_step=lambda: steps.append(None),
            )
        torch.testing.assert_close(found, wanted, rtol=0, atol=3 * CLOSE[dtype])
        assert len(steps) == len(bands) == -(-after[0] // rows)
        assert all(height <= rows + 2 and first >= 0 and first + height <= after[0] for first, height in bands)


def test_zeros_are_beyond_the_picture_and_not_its_border() -> None:
    """Of a map of ones, a kernel of ones counts the pixels around each."""
    convolution = nn.Conv2d(1, 1, kernel_size=3, padding=1, bias=False, dtype=torch.float64)
    convolution.weight.data.fill_(1)
    with torch.inference_mode():
        counted = convolve_resized(
            torch.ones(1, 1, 2, 2, dtype=torch.float64),
            (4, 5),
            convolution,
            rows=3,
            before=lambda band, _: band,
            after=lambda band: band,
            channels=1,
        )
    edge, middle = [4.0, 6, 6, 6, 4], [6.0, 9, 9, 9, 6]
    torch.testing.assert_close(counted[0, 0], torch.tensor([edge, middle, middle, edge]).double(), rtol=0, atol=1e-12)
