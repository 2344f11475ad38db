"""The read-out of a vision transformer into a dense map: DPT (Ranftl et al. 2021, section 3).

This module imports torch.

Four sets of tokens become maps of 4, 2, 1 and 1/2 times the patch grid (reassemble), are fused from coarse to fine
by residual convolution units (fusion), and end in two convolutions at a growing resolution (head). VGGT and DUSt3R
share all of it but these, which are arguments here:

- `rectified_skip`: in VGGT a residual unit's skip carries max(x, 0); in DUSt3R x itself.
- `coarsest_skip_unit`: DUSt3R's checkpoints hold a first unit in the coarsest stage that no result depends on.
- the sizes: VGGT resizes to the next map's size, DUSt3R always by two (and cuts an odd grid).
- position maps: VGGT's depth and point heads add them, DUSt3R and VGGT's track features do not.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .resize import resize


class TokenProjection(nn.Conv2d):
    """A 1x1 convolution that takes tokens (..., inputs) -> (..., outputs), so that maps need not be made first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=1)

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.linear(tokens, self.weight.flatten(1), self.bias)


def as_maps(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """(batch, h·w, channels) -> (batch, channels, h, w), a view, channels last in memory."""
    maps: Tensor = tokens.unflatten(1, grid).permute(0, 3, 1, 2)
    return maps


class ResidualUnit(nn.Module):
    """conv2(relu(conv1(relu(x)))) + skip (RefineNet's residual convolution unit). May change x in place."""

    def __init__(self, channels: int, rectified_skip: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.rectified_skip = rectified_skip

    def forward(self, maps: Tensor) -> Tensor:
        if self.rectified_skip:
            maps.relu_()
        inner: Tensor = self.conv1(maps if self.rectified_skip else functional.relu(maps))
        changed: Tensor = self.conv2(inner.relu_())
        return changed.add_(maps)


class FusionStage(nn.Module):
    """One step of the fusion: add the finer map, refine, resize, mix the channels."""

    def __init__(self, channels: int, *, rectified_skip: bool, skip_unit: bool) -> None:
        super().__init__()
        if skip_unit:
            self.resConfUnit1 = ResidualUnit(channels, rectified_skip)
        self.resConfUnit2 = ResidualUnit(channels, rectified_skip)
        self.out_conv = nn.Conv2d(channels, channels, kernel_size=1)

    def refine(self, coarse: Tensor | None, fine: Tensor) -> Tensor:
        """All of the stage but its resizing: both (batch, channels, h, w) -> the same shape."""
        if coarse is not None:
            fine = self.resConfUnit1(fine).add_(coarse)
        refined: Tensor = self.resConfUnit2(fine)
        return refined

    def forward(self, coarse: Tensor | None, fine: Tensor, size: tuple[int, int]) -> Tensor:
        """-> (batch, channels, *size)."""
        fused: Tensor = self.out_conv(resize(self.refine(coarse, fine), size))
        return fused


class Scratch(nn.Module):
    """Convolutions to a common number of channels, and the four fusion stages (4 is the coarsest)."""

    def __init__(self, inputs: Sequence[int], channels: int, *, rectified_skip: bool, coarsest_skip_unit: bool) -> None:
        super().__init__()
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(count, channels, kernel_size=3, padding=1, bias=False) for count in inputs
        )
        self.refinenet1, self.refinenet2, self.refinenet3, self.refinenet4 = (
            FusionStage(channels, rectified_skip=rectified_skip, skip_unit=finer or coarsest_skip_unit)
            for finer in (True, True, True, False)
        )

    def fuse(
        self, tokens: list[Tensor], reassemble: Sequence[nn.Module], grid: tuple[int, int], double: bool
    ) -> Tensor:
        """Four sets of projected tokens (batch, h·w, ·), fine first -> (batch, channels, 4h, 4w).

        That is before the last stage's resizing. `reassemble` makes each set's map of 4, 2, 1 and 1/2 times the
        grid (h, w); `tokens` is emptied on the way, from the coarsest, so that no map is made before its turn and
        none is kept after it. With `double` every stage doubles the size and an odd grid is cut to the next map's
        size; else it resizes to that size.
        """
        fused: Tensor | None = None
        stages = (self.refinenet4, self.refinenet3, self.refinenet2)
        layers = (self.layer4_rn, self.layer3_rn, self.layer2_rn)
        finest, *coarser = reassemble
        for stage, layer, remake, larger in zip(stages, layers, reversed(coarser), (1, 2, 4), strict=True):
            fine = layer(remake(as_maps(tokens.pop(), grid)))
            height, width = larger * grid[0], larger * grid[1]
            size = (2 * fine.shape[2], 2 * fine.shape[3]) if double else (height, width)
            fused = stage(fused, fine, size)[:, :, :height, :width]
        return self.refinenet1.refine(fused, self.layer1_rn(finest(as_maps(tokens.pop(), grid))))
