"""VGGT whole: photos to cameras, depth, points and tracks in one pass (Wang et al. 2025, figure 2).

This module imports torch.
"""

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor, nn

from ..layers.chunks import DEFAULT_CHUNKS, Chunks, OnStep, no_step
from ..layers.precision import halve_linear_weights
from .aggregator import Aggregator
from .camera_head import CameraHead
from .config import FULL, VggtConfig
from .dense_head import DenseHead, Reassembly
from .output import Tracks, VggtOutput
from .track_head import TrackHead

Head = Literal["camera", "depth", "point", "track"]
ALL_HEADS: tuple[Head, ...] = ("camera", "depth", "point", "track")


class VGGT(nn.Module):
    """Parameter names, shapes and dtypes are those of the published checkpoints. Inference only.

    Heads that are not asked for are not built. Make it under `torch.device("meta")` and assign the weights: nothing
    here initialises a parameter. It computes in float32 (or float64, as its weights are); `halve_blocks` casts the
    blocks' matrices to half precision.
    """

    def __init__(self, config: VggtConfig = FULL, heads: Collection[Head] = ("camera", "depth")) -> None:
        super().__init__()
        self.config = config
        self.aggregator = Aggregator(config)
        self.camera_head = CameraHead(config.camera_head, config.output_width) if "camera" in heads else None
        self.depth_head = DenseHead(config, outputs=2) if "depth" in heads else None
        self.point_head = DenseHead(config, outputs=4) if "point" in heads else None
        self.track_head = TrackHead(config) if "track" in heads else None

    def halve_blocks(self, half: torch.dtype) -> "VGGT":
        """Encoder and blocks multiply in `half` (bfloat16 or float16); stream, norms and heads stay float32."""
        halve_linear_weights(self.aggregator, half)
        return self

    @torch.inference_mode()
    def forward(
        self,
        images: Tensor,
        query_points: Tensor | None = None,
        chunks: Chunks = DEFAULT_CHUNKS,
        on_step: OnStep = no_step,
    ) -> VggtOutput:
        """images (B, S, 3, H, W), RGB, uint8 or 0..1, on the network's device; H, W multiples of the patch.

        `query_points` (B, N, 2): x, y in pixels of the first frame, for the track head. `chunks` changes memory and
        time, and of the result only its rounding. `on_step` is called after every block; what it raises ends the pass.
        Raises ValueError for shapes that the network does not take.
        """
        self._check(images, query_points)
        size = (images.shape[-2], images.shape[-1])
        dense = self._dense_heads(query_points)
        projected: dict[str, list[Tensor]] = {name: [] for name in dense}
        camera_tokens: Tensor | None = None
        for output in self.aggregator(images, chunks, on_step):
            for name, head in dense.items():
                projected[name].append(head.project(output, size, chunks))
            camera_tokens = output.tokens(first=0, last=1)  # (B·S, 1, 2 · width): the last output's stays
            del output  # or it would live on beside the next one
        scenes, frames = images.shape[:2]
        assert camera_tokens is not None
        pose = self.camera_head(camera_tokens.view(scenes, frames, -1), on_step) if self.camera_head else None
        depth, depth_confidence = self._depth(projected, scenes, size, chunks, on_step)
        points, points_confidence = self._points(projected, scenes, size, chunks, on_step)
        tracks = self._tracks(projected, scenes, size, query_points, chunks, on_step)
        return VggtOutput(pose, depth, depth_confidence, points, points_confidence, tracks)

    def _check(self, images: Tensor, query_points: Tensor | None) -> None:
        patch = self.config.patch
        height, width = images.shape[-2:] if images.ndim == 5 and images.shape[2] == 3 else (0, 0)
        if height % patch or width % patch or not images.numel() * height * width:
            raise ValueError(f"images must be (B, S, 3, H, W), H, W multiples of {patch}; got {tuple(images.shape)}")
        if query_points is None:
            return
        if query_points.ndim != 3 or query_points.shape[::2] != (images.shape[0], 2) or not query_points.shape[1]:
            raise ValueError(f"query points must be ({images.shape[0]}, N, 2); got {tuple(query_points.shape)}")
        if self.track_head is None:
            raise ValueError("query points were given, but the track head was not built")
        if min(height, width) < self.track_head.smallest_side:
            raise ValueError(f"tracks need pictures of at least {self.track_head.smallest_side} pixels on each side")

    def _dense_heads(self, query_points: Tensor | None) -> dict[str, Reassembly]:
        dense: dict[str, Reassembly] = {}
        if self.depth_head is not None:
            dense["depth"] = self.depth_head
        if self.point_head is not None:
            dense["point"] = self.point_head
        if query_points is not None and self.track_head is not None:
            dense["track"] = self.track_head.feature_extractor
        return dense

    def _depth(
        self, projected: dict[str, list[Tensor]], scenes: int, size: tuple[int, int], chunks: Chunks, on_step: OnStep
    ) -> tuple[Tensor | None, Tensor | None]:
        if self.depth_head is None:
            return None, None
        values = self.depth_head(projected.pop("depth"), size, chunks, on_step).unflatten(0, (scenes, -1))
        depth, confidence = values.unbind(2)  # (B, S, H, W) each
        return depth.exp(), confidence.exp() + 1

    def _points(
        self, projected: dict[str, list[Tensor]], scenes: int, size: tuple[int, int], chunks: Chunks, on_step: OnStep
    ) -> tuple[Tensor | None, Tensor | None]:
        if self.point_head is None:
            return None, None
        values = self.point_head(projected.pop("point"), size, chunks, on_step).unflatten(0, (scenes, -1))
        logarithmic, confidence = values[:, :, :3].movedim(2, -1), values[:, :, 3]
        points = torch.sign(logarithmic) * (logarithmic.abs().exp() - 1)
        return points, confidence.exp() + 1

    def _tracks(
        self,
        projected: dict[str, list[Tensor]],
        scenes: int,
        size: tuple[int, int],
        query_points: Tensor | None,
        chunks: Chunks,
        on_step: OnStep,
    ) -> Tracks | None:
        if query_points is None or self.track_head is None:
            return None
        maps = self.track_head.feature_extractor(projected.pop("track"), size, chunks, on_step)
        tracks: Tracks = self.track_head.tracker(maps.unflatten(0, (scenes, -1)), query_points, chunks, on_step)
        return tracks
