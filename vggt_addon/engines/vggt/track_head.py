"""The track head (VGGT, section 3.3, "tracking"): where query points of the first frame are in the others.

This module imports torch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers.blocks import Mlp
from ..layers.chunks import Chunks, OnStep
from ..layers.precision import LayerNorm, Linear
from .config import TrackerConfig, VggtConfig
from .dense_head import FeatureHead
from .output import Tracks
from .sampling import correlations, pyramid, sample
from .track_embedding import displacement_embedding, position_embedding
from .updateformer import Updateformer

ITERATIONS = 4
STRIDE = 2  # the feature map is half the picture's size


class Tracker(nn.Module):
    """Feature maps and query points to tracks, in four rounds (CoTracker, Karaev et al. 2024, section 3)."""

    def __init__(self, config: TrackerConfig) -> None:
        super().__init__()
        self.config = config
        features = config.features
        looked_up = config.pyramid_levels * (2 * config.radius + 1) ** 2
        self.inputs = 2 * config.flow_embedding + 4 + 2 * features
        self.fmap_norm = LayerNorm(features, eps=1e-5)
        self.corr_mlp = Mlp(looked_up, config.width, features)
        self.query_ref_token = nn.Parameter(torch.empty(1, 2, self.inputs))
        self.updateformer = Updateformer(
            self.inputs, config.width, config.heads, config.time_blocks, config.virtual_tracks, features + 2
        )
        self.ffeat_norm = nn.GroupNorm(1, features, eps=1e-5)
        self.ffeat_updater = nn.Sequential(Linear(features, features), nn.GELU())
        self.vis_predictor = nn.Sequential(Linear(features, 1))
        self.conf_predictor = nn.Sequential(Linear(features, 1))

    def forward(self, maps: Tensor, queries: Tensor, chunks: Chunks, on_step: OnStep) -> Tracks:
        """maps (B, S, features, H/2, W/2), queries (B, N, 2) in pixels of the picture -> tracks in such pixels."""
        scenes, frames = maps.shape[:2]
        maps = self.fmap_norm(maps.flatten(0, 1).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # (B·S, features, h, w)
        levels = pyramid(maps, self.config.pyramid_levels)
        start = queries.to(maps.dtype) / STRIDE  # (B, N, 2)
        positions = start[:, :, None].repeat(1, 1, frames, 1)  # (B, N, S, 2)
        found = sample(maps.unflatten(0, (scenes, frames))[:, 0], start, outside="border").transpose(1, 2)
        features = found[:, :, None].repeat(1, 1, frames, 1)  # (B, N, S, features)
        constant = self._constant_inputs(start, frames, (maps.shape[2], maps.shape[3]))
        reports = []
        for _ in range(ITERATIONS):
            seen = self._correlations(levels, features, positions, chunks)  # (B, N, S, levels · side²)
            displacement = displacement_embedding(positions - positions[:, :, :1], self.config.flow_embedding)
            inputs = torch.cat([displacement, self.corr_mlp(seen), features], dim=-1) + constant
            change = self.updateformer(inputs)  # (B, N, S, 2 + features)
            features = features + self._feature_step(change[..., 2:])
            positions = positions + change[..., :2]
            positions[:, :, 0] = start
            reports.append(positions.transpose(1, 2) * STRIDE)
            on_step()
        visibility, confidence = (
            predictor(features)[..., 0].sigmoid().transpose(1, 2)  # (B, S, N)
            for predictor in (self.vis_predictor, self.conf_predictor)
        )
        return Tracks(torch.stack(reports), visibility, confidence)

    def _constant_inputs(self, start: Tensor, frames: int, size: tuple[int, int]) -> Tensor:
        """What no round changes, (B, N, S, inputs): the query's place, and whether a frame is the first one."""
        place = position_embedding(start, size, self.inputs)  # (B, N, inputs)
        slot = [0] + [1] * (frames - 1)
        reference = self.query_ref_token[0, slot]  # (S, inputs)
        return place[:, :, None] + reference

    def _correlations(self, levels: list[Tensor], features: Tensor, positions: Tensor, chunks: Chunks) -> Tensor:
        """Some frames and some tracks at a time: (B, N, S, ...) -> (B, N, S, levels · side²)."""
        scenes, tracks, frames = features.shape[:3]
        by_frame_features = features.transpose(1, 2).flatten(0, 1)  # (B·S, N, features)
        by_frame_positions = positions.transpose(1, 2).flatten(0, 1)  # (B·S, N, 2)
        looked_up = len(levels) * (2 * self.config.radius + 1) ** 2
        seen = torch.empty(scenes * frames, tracks, looked_up, dtype=features.dtype, device=features.device)
        for first in range(0, scenes * frames, chunks.frames):
            group = slice(first, first + chunks.frames)
            near = [maps[group] for maps in levels]
            for track in range(0, tracks, chunks.tracks):
                part = slice(track, track + chunks.tracks)
                seen[group, part] = correlations(
                    near, by_frame_features[group, part], by_frame_positions[group, part], self.config.radius
                )
        by_track: Tensor = seen.unflatten(0, (scenes, frames)).transpose(1, 2)
        return by_track

    def _feature_step(self, change: Tensor) -> Tensor:
        shape = change.shape
        normed = functional.group_norm(
            change.flatten(0, 2), 1, self.ffeat_norm.weight, self.ffeat_norm.bias, self.ffeat_norm.eps
        )
        step: Tensor = self.ffeat_updater(normed).view(shape)
        return step


class TrackHead(nn.Module):
    """Features by DPT, then the tracker."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        self.feature_extractor = FeatureHead(config)
        self.tracker = Tracker(config.tracker)

    @property
    def smallest_side(self) -> int:
        """Pixels: the least height and width of a picture in which the coarsest level still has a pixel."""
        side: int = STRIDE << (self.tracker.config.pyramid_levels - 1)
        return side
