"""One forward pass within a plan: progress in work done, cancel within a block, memory that runs out retried smaller.

This module imports torch and numpy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...progress import Cancel, Progress, check
from ..layers.chunks import Chunks, OnStep
from ..layers.devices import Device
from ..layers.first_that_fits import first_that_fits
from ..layers.work import Speed, Work
from .output import VggtOutput
from .plan import Plan, Request
from .work import steps

Network = Callable[[torch.Tensor, Chunks, OnStep], VggtOutput]
"""(1, S, 3, H, W) uint8 on the network's device, chunks, on_step -> what VGGT says of one scene."""


@dataclass(frozen=True)
class Answer:
    """What the network said of S photos, on the CPU."""

    pose_encoding: NDArray[np.float64]  # (S, 9): of the last iteration; see output.VggtOutput
    depth: NDArray[np.float32]  # (S, H, W)
    confidence: NDArray[np.float32]  # (S, H, W), from 1 up
    plan: Plan  # that was run in the end
    points: NDArray[np.float32] | None = None  # (S, H, W, 3) in the network's world; None without the point head
    points_confidence: NDArray[np.float32] | None = None  # (S, H, W), from 1 up; likewise


def run(
    network: Network,
    images: NDArray[np.uint8],
    plans: Sequence[Plan],
    request: Request,
    device: Device,
    speed: Speed,
    progress: Progress,
    cancel: Cancel,
) -> Answer:
    """Photos (S, H, W, 3) through the network by the first of `plans` that memory allows.

    Raises EngineError with a sentence where even the last one runs out of memory, Cancelled on request.
    """

    def attempt(plan: Plan, progress: Progress) -> Answer:
        pictures = torch.from_numpy(images).permute(0, 3, 1, 2)[None].to(device.device)
        return _answer(network(pictures, plan.chunks, _on_step(plan, request, speed, progress, cancel)), plan)

    return first_that_fits(plans, attempt, device, len(images), progress)


def _on_step(plan: Plan, request: Request, speed: Speed, progress: Progress, cancel: Cancel) -> OnStep:
    """Tells how much of the pass's predicted time is behind us; what it raises on a cancel ends the pass."""
    every = list(steps(request.config, plan.photos, plan.size, plan.chunks, request.heads))
    total = speed.seconds(sum(every, Work()))
    behind = 0.0
    remaining = iter(every)

    def on_step() -> None:
        nonlocal behind
        check(cancel)
        behind += speed.seconds(next(remaining, Work()))
        progress("Looking at all photos together", min(behind / total, 1.0))

    return on_step


def _answer(output: VggtOutput, plan: Plan) -> Answer:
    if output.pose_encoding is None or output.depth is None or output.depth_confidence is None:
        raise ValueError("the network was built without its camera or depth head")
    return Answer(
        pose_encoding=output.pose_encoding[-1, 0].double().cpu().numpy(),
        depth=output.depth[0].float().cpu().numpy(),
        confidence=output.depth_confidence[0].float().cpu().numpy(),
        plan=plan,
        points=_maps(output.points),
        points_confidence=_maps(output.points_confidence),
    )


def _maps(values: torch.Tensor | None) -> NDArray[np.float32] | None:
    """Those of the one scene that was asked for."""
    return None if values is None else values[0].float().cpu().numpy()
