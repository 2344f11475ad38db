"""DUSt3R's regression heads: a point and a confidence for every pixel, by DPT (Ranftl et al. 2021, section 3).

This module imports torch.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ..layers.chunks import Chunks, OnStep
from ..layers.dpt import Scratch, TokenProjection
from ..layers.resize import convolve_resized
from .config import Dust3rConfig
from .output import PointMap

HEAD_CHANNELS = 128
OUTPUTS = 4  # x, y, z, confidence


class NamedTwiceScratch(Scratch):
    """The fusion; its first layers have a second name in the checkpoints."""

    def __init__(self, config: Dust3rConfig) -> None:
        sizes = config.dense_head
        super().__init__(sizes.projections, sizes.features, rectified_skip=False, coarsest_skip_unit=True)
        self.layer_rn = nn.ModuleList([self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn])


class Dpt(nn.Module):
    """Encoder tokens and three states of the decoder to four values a pixel."""

    def __init__(self, config: Dust3rConfig) -> None:
        super().__init__()
        fine, middle, coarse, coarsest = config.dense_head.projections
        encoder, decoder = config.encoder.width, config.decoder.width
        self.act_postprocess = nn.ModuleList(
            [
                nn.Sequential(TokenProjection(encoder, fine), nn.ConvTranspose2d(fine, fine, 4, stride=4)),
                nn.Sequential(TokenProjection(decoder, middle), nn.ConvTranspose2d(middle, middle, 2, stride=2)),
                nn.Sequential(TokenProjection(decoder, coarse), nn.Identity()),
                nn.Sequential(
                    TokenProjection(decoder, coarsest), nn.Conv2d(coarsest, coarsest, 3, stride=2, padding=1)
                ),
            ]
        )
        self.scratch = NamedTwiceScratch(config)
        self.head = nn.Sequential(
            nn.Conv2d(config.dense_head.features, HEAD_CHANNELS, kernel_size=3, padding=1),
            nn.Identity(),  # the place of a resizing, which convolve_resized does
            nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(HEAD_CHANNELS, OUTPUTS, kernel_size=1),
        )

    def project(self, index: int, tokens: Tensor) -> Tensor:
        """The first step of input `index` (0 to 3), at once when it is there: (B, T, width) -> (B, T, channels)."""
        projection, _ = cast(nn.Sequential, self.act_postprocess[index])
        projected: Tensor = projection(tokens)
        return projected

    def forward(self, projected: list[Tensor], grid: tuple[int, int], chunks: Chunks, on_step: OnStep) -> Tensor:
        """What `project` gave for each input, of some photos -> (photos, 4, 16h, 16w). `projected` is emptied."""
        reassemble = [cast(nn.Sequential, layers)[1] for layers in self.act_postprocess]
        fused = self.scratch.fuse(projected, reassemble, grid, double=True)  # (photos, features, 4h, 4w)
        first, _, second, rectify, to_outputs = self.head
        halved = convolve_resized(
            fused,
            (8 * grid[0], 8 * grid[1]),
            cast(nn.Conv2d, first),
            rows=chunks.rows,
            before=lambda band, _: self.scratch.refinenet1.out_conv(band),
            after=lambda band: band,
            channels=HEAD_CHANNELS,
            on_step=on_step,
        )  # (photos, 128, 8h, 8w)
        del fused
        return convolve_resized(
            halved,
            (16 * grid[0], 16 * grid[1]),
            cast(nn.Conv2d, second),
            rows=chunks.rows,
            before=lambda band, _: band,
            after=lambda band: to_outputs(rectify(band)),
            channels=OUTPUTS,
            on_step=on_step,
        )


class PointHead(nn.Module):
    """DPT, then the activations (DUSt3R, section 3.2): distance grows exponentially, confidence is above 1."""

    def __init__(self, config: Dust3rConfig) -> None:
        super().__init__()
        self.dpt = Dpt(config)

    def forward(self, projected: list[Tensor], grid: tuple[int, int], chunks: Chunks, on_step: OnStep) -> PointMap:
        """What `dpt.project` gave for each input -> the point map, `chunks.frames` photos at a time."""
        values = torch.cat(
            [
                self.dpt([tokens[start : start + chunks.frames] for tokens in projected], grid, chunks, on_step)
                for start in range(0, len(projected[0]), chunks.frames)
            ]
        ).permute(0, 2, 3, 1)  # (B, H, W, 4)
        place = values[..., :3]
        distance = place.norm(dim=-1, keepdim=True)
        return PointMap(place * (distance.expm1() / distance.clamp(min=1e-8)), values[..., 3].exp() + 1)
