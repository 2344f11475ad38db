"""Bilinear resizing with aligned corners, whole or a band of rows, and the 3x3 convolution of a resized map.

This module imports torch.

Maps are (batch, channels, height, width) in torch's channels-last memory format, which convolutions prefer and which
makes a row of the picture one piece of memory.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .chunks import OnStep, no_step


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(batch, channels, height, width) -> (batch, channels, *size)."""
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)


def resize_rows(maps: Tensor, size: tuple[int, int], start: int, stop: int) -> Tensor:
    """Rows start..stop of `resize(maps, size)`, without making the others: (batch, channels, stop - start, size[1]).

    The source rows and their weights are computed in the map's own dtype, as torch does, so that a band differs from
    the whole by the rounding of one multiplication and not by that of a position.
    """
    height = maps.shape[2]
    position = torch.arange(start, stop, dtype=maps.dtype, device=maps.device) * ((height - 1) / max(size[0] - 1, 1))
    upper = position.to(torch.int64).clamp(max=height - 1)
    lower = (upper + 1).clamp(max=height - 1)
    weight = (position - upper).clamp(0, 1)[:, None]
    rows = maps.permute(0, 2, 3, 1)  # (batch, height, width, channels), a view
    above, below = rows[:, upper].flatten(2), rows[:, lower].flatten(2)
    blended = above.lerp_(below, weight).unflatten(2, (maps.shape[3], maps.shape[1]))
    return resize(blended.permute(0, 3, 1, 2), (stop - start, size[1]))


def convolve_resized(
    maps: Tensor,
    size: tuple[int, int],
    convolution: nn.Conv2d,
    *,
    rows: int,
    before: Callable[[Tensor, int], Tensor],
    after: Callable[[Tensor], Tensor],
    channels: int,
    on_step: OnStep = no_step,
) -> Tensor:
    """after(convolution(before(resize(maps, size)))), `rows` rows of the result at a time.

    `convolution` is 3x3 with padding 1; `before(band, first_row)` and `after(band)` act on each pixel alone, and the
    result has `channels` channels. The resized map, which is larger than all else in a dense head, is never whole in
    memory.
    """
    batch, (height, width) = maps.shape[0], size
    shape = (batch, channels, height, width)
    result = torch.empty(shape, dtype=maps.dtype, device=maps.device, memory_format=torch.channels_last)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        top, bottom = max(start - 1, 0), min(stop + 1, height)  # one row more on each side, where there is one
        band = before(resize_rows(maps, size, top, bottom), top)
        if start == 0 or stop == height:
            band = functional.pad(band, (0, 0, top - (start - 1), (stop + 1) - bottom))  # zeros beyond the picture
        band = functional.conv2d(band, convolution.weight, convolution.bias, padding=(0, 1))
        result[:, :, start:stop] = after(band)
        on_step()
    return result
