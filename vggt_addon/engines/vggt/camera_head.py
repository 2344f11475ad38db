"""The camera head (VGGT, section 3.3): four rounds of refinement on the frames' camera tokens.

This module imports torch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers.blocks import Block, Mlp
from ..layers.chunks import OnStep, no_step
from ..layers.precision import LayerNorm, Linear
from .config import CameraHeadConfig

POSE = 9  # translation (3), quaternion x y z w (4), vertical and horizontal field of view


class CameraHead(nn.Module):
    """Camera tokens to pose encodings; frames look at each other, pixels are not looked at again."""

    def __init__(self, config: CameraHeadConfig, width: int) -> None:
        super().__init__()
        self.iterations = config.iterations
        self.width = width
        self.token_norm = LayerNorm(width, eps=1e-5)
        self.empty_pose_tokens = nn.Parameter(torch.empty(1, 1, POSE))
        self.embed_pose = Linear(POSE, width)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), Linear(width, 3 * width))
        self.trunk = nn.ModuleList(
            Block(width, config.heads, norm_eps=1e-5, layer_scale=True) for _ in range(config.blocks)
        )
        self.trunk_norm = LayerNorm(width, eps=1e-5)
        self.pose_branch = Mlp(width, config.hidden, POSE)

    def forward(self, camera_tokens: Tensor, on_step: OnStep = no_step) -> Tensor:
        """(B, S, width) -> (iterations, B, S, 9); the last iteration is the result."""
        tokens = self.token_norm(camera_tokens.to(self.empty_pose_tokens.dtype))  # the same in every iteration
        pose: Tensor | None = None
        reports = []
        for _ in range(self.iterations):
            condition = self.empty_pose_tokens.expand(*tokens.shape[:2], -1) if pose is None else pose
            change = self._refine(tokens, condition)
            pose = change if pose is None else pose + change  # the empty token is a condition, not a start
            on_step()
            reports.append(torch.cat([pose[..., :7], functional.relu(pose[..., 7:])], dim=-1))
        return torch.stack(reports)

    def _refine(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Adaptive LayerNorm (Peebles and Xie 2023, section 3.2) by the pose so far, then the trunk: (B, S, 9)."""
        shift, scale, gate = self.poseLN_modulation(self.embed_pose(condition)).chunk(3, dim=-1)
        normed = functional.layer_norm(tokens, (self.width,), eps=1e-6)
        refined = tokens + gate * (normed * (1 + scale) + shift)
        for block in self.trunk:
            block(refined, None, refined.shape[1])
        change: Tensor = self.pose_branch(self.trunk_norm(refined))
        return change
