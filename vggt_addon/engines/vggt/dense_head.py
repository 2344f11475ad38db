"""The dense heads (VGGT, section 3.3): depth, world points and track features, all by DPT.

This module imports torch.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..layers.chunks import Chunks, OnStep
from ..layers.dpt import Scratch, TokenProjection, as_maps
from ..layers.precision import LayerNorm
from ..layers.resize import convolve_resized, resize
from .aggregator import BlockPairOutput
from .config import VggtConfig
from .position_map import PositionMap, position_map

LAST_CHANNELS = 32  # between the last two convolutions


class HeadScratch(Scratch):
    """The fusion of a head with its own last convolutions: two of them for values, one alone for features."""

    def __init__(self, inputs: Sequence[int], features: int, first_outputs: int, outputs: int | None) -> None:
        super().__init__(inputs, features, rectified_skip=True, coarsest_skip_unit=False)
        self.output_conv1 = nn.Conv2d(features, first_outputs, kernel_size=3, padding=1)
        if outputs is not None:
            self.output_conv2 = nn.Sequential(
                nn.Conv2d(first_outputs, LAST_CHANNELS, kernel_size=3, padding=1),
                nn.ReLU(),
                nn.Conv2d(LAST_CHANNELS, outputs, kernel_size=1),
            )

    def first_convolution(self, fused: Tensor, chunks: Chunks, on_step: OnStep) -> Tensor:
        """End of the last fusion stage and first convolution: (frames, features, h, w) -> (frames, ·, 2h, 2w)."""
        return convolve_resized(
            fused,
            (2 * fused.shape[2], 2 * fused.shape[3]),
            self.output_conv1,
            rows=chunks.rows,
            before=lambda band, _: self.refinenet1.out_conv(band),
            after=lambda band: band,
            channels=self.output_conv1.out_channels,
            on_step=on_step,
        )


class Reassembly(nn.Module):
    """What the three dense heads share: four outputs of the aggregator to one fused map (DPT, section 3)."""

    def __init__(self, config: VggtConfig, scratch: HeadScratch, position_maps: bool) -> None:
        super().__init__()
        self.config = config
        self.position_maps = position_maps
        fine, middle, _, coarsest = config.dense_head.projections
        self.norm = LayerNorm(config.output_width, eps=1e-5)
        self.projects = nn.ModuleList(
            TokenProjection(config.output_width, channels) for channels in config.dense_head.projections
        )
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(fine, fine, kernel_size=4, stride=4),
                nn.ConvTranspose2d(middle, middle, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(coarsest, coarsest, kernel_size=3, stride=2, padding=1),
            ]
        )
        self.scratch = scratch

    def project(self, output: BlockPairOutput, size: tuple[int, int], chunks: Chunks) -> Tensor:
        """Norm, projection and position map, at once when an output is there: (B·S, h·w, that map's channels).

        The output itself, 2048 channels wide and needed by nothing else, is then free.
        """
        height, width = size[0] // self.config.patch, size[1] // self.config.patch
        layer = cast(TokenProjection, self.projects[self.config.outputs.index(output.index)])
        frames = len(output.over_frames)
        weight = layer.weight
        tokens = torch.empty(frames, height * width, layer.out_channels, dtype=weight.dtype, device=weight.device)
        for start in range(0, frames, chunks.frames):
            group = slice(start, start + chunks.frames)
            patches = output.tokens(group, first=self.config.special_tokens)  # (group, h·w, 2 · width)
            tokens[group] = layer(self.norm(patches))
        if self.position_maps:
            places = position_map(height, width, tokens.shape[-1], size[1] / size[0], tokens)
            places.add_to(as_maps(tokens, (height, width)))
        return tokens

    def fuse(self, projected: list[Tensor], grid: tuple[int, int]) -> Tensor:
        """Four projected outputs of some frames, emptied on the way -> (frames, features, 4h, 4w), channels last."""
        return self.scratch.fuse(projected, list(self.resize_layers), grid, double=False)


class DenseHead(Reassembly):
    """A value for every pixel: `outputs` channels, the last of them the confidence."""

    def __init__(self, config: VggtConfig, outputs: int) -> None:
        sizes = config.dense_head
        scratch = HeadScratch(sizes.projections, sizes.features, sizes.features // 2, outputs)
        super().__init__(config, scratch, position_maps=True)
        self.outputs = outputs

    def forward(self, projected: list[Tensor], size: tuple[int, int], chunks: Chunks, on_step: OnStep) -> Tensor:
        """What `project` gave for each of the four outputs -> (frames, outputs, H, W) before the activation."""
        frames = len(projected[0])
        shape = (frames, self.outputs, *size)
        values = torch.empty(shape, dtype=projected[0].dtype, device=projected[0].device)
        places = position_map(*size, self.scratch.output_conv1.out_channels, size[1] / size[0], projected[0])
        for start in range(0, frames, chunks.frames):
            group = slice(start, start + chunks.frames)
            values[group] = self._read_out([tokens[group] for tokens in projected], size, places, chunks, on_step)
        return values

    def _read_out(
        self, projected: list[Tensor], size: tuple[int, int], places: PositionMap, chunks: Chunks, on_step: OnStep
    ) -> Tensor:
        fused = self.fuse(projected, (size[0] // self.config.patch, size[1] // self.config.patch))
        halved = self.scratch.first_convolution(fused, chunks, on_step)  # (group, features/2, 8h, 8w)
        del fused
        convolution, rectify, to_outputs = self.scratch.output_conv2
        return convolve_resized(
            halved,
            size,
            cast(nn.Conv2d, convolution),
            rows=chunks.rows,
            before=places.add_to,
            after=lambda band: to_outputs(rectify(band)),
            channels=self.outputs,
            on_step=on_step,
        )


class FeatureHead(Reassembly):
    """Features for tracking, at half the picture's size."""

    def __init__(self, config: VggtConfig) -> None:
        features = config.tracker.features
        scratch = HeadScratch(config.dense_head.projections, features, features, None)
        super().__init__(config, scratch, position_maps=False)

    def forward(self, projected: list[Tensor], size: tuple[int, int], chunks: Chunks, on_step: OnStep) -> Tensor:
        """-> (frames, features, H/2, W/2), channels last in memory."""
        grid = (size[0] // self.config.patch, size[1] // self.config.patch)
        features = []
        for start in range(0, len(projected[0]), chunks.frames):
            group = slice(start, start + chunks.frames)
            fused = self.fuse([tokens[group] for tokens in projected], grid)
            features.append(
                resize(self.scratch.first_convolution(fused, chunks, on_step), (size[0] // 2, size[1] // 2))
            )
        return torch.cat(features)
