"""The alignment's optimisation: Adam on all unknowns, with progress, cancel between steps, and an early end.

This module imports torch.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from ...progress import Cancel, Progress, check
from .loss import AlignmentLoss
from .unknowns import Unknowns

Schedule = Literal["linear", "cosine"]
RATE = 0.01  # of the first step
LAST_RATE = 1e-6
BETAS = (0.9, 0.9)


@dataclass(frozen=True)
class OptimiserSettings:
    """How long and how far."""

    steps: int = 300
    schedule: Schedule = "linear"
    settled: float = 1e-4  # share of the loss that `patience` steps must gain, or the rate falls early; 0: never
    patience: int = 25  # steps


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    first_loss: float
    loss: float  # the least that was found, whose unknowns are kept
    steps: int  # that were taken


NOT_NEEDED = Outcome(0.0, 0.0, 0)


def optimise(
    unknowns: Unknowns, loss: AlignmentLoss, settings: OptimiserSettings, progress: Progress, cancel: Cancel
) -> Outcome:
    """Change `unknowns` until the loss moves no more, and leave them at the least loss that was met.

    Where the loss stands still the schedule is cut short: half of what is left of it is skipped, so that the rate
    falls and what a large rate could not reach is. Raises Cancelled.
    """
    free = [parameter for parameter in unknowns.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(free, lr=RATE, betas=BETAS)
    best, best_loss, first_loss = unknowns.state(), math.inf, math.inf
    mark, since, time, taken = math.inf, 0, 0.0, 0
    step = 1 / settings.steps if settings.steps else 1.0
    while True:
        check(cancel)
        optimiser.zero_grad(set_to_none=True)
        value = loss(unknowns.world(), unknowns.similarities())
        now = float(value.detach())
        if taken == 0:
            first_loss = now
        if now < best_loss:
            best_loss, best = now, unknowns.state()
        progress("Aligning the pairs", min(time, 1.0))
        if time > 1 - step / 2 or not math.isfinite(now) or best_loss == 0:
            break
        since = 0 if now < mark * (1 - settings.settled) else since + 1
        mark = min(mark, now) if since == 0 else mark
        if settings.settled and since >= settings.patience:
            time, since, mark = (1 + time) / 2, 0, now
        for group in optimiser.param_groups:
            group["lr"] = rate(time, settings.schedule)
        torch.autograd.backward(value)
        optimiser.step()
        time += step
        taken += 1
    unknowns.load_state_dict(best)
    progress("Aligning the pairs", 1.0)
    return Outcome(first_loss, best_loss, taken)


def rate(time: float, schedule: Schedule) -> float:
    """The step size at a share [0, 1] of the whole."""
    if schedule == "linear":
        return RATE + (LAST_RATE - RATE) * time
    return LAST_RATE + (RATE - LAST_RATE) * (1 + math.cos(math.pi * time)) / 2
