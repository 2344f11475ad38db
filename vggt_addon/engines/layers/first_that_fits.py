"""Memory that runs out in the middle is no end: the next plan, which takes less, has its turn.

This module imports nothing beyond the standard library; its neighbour imports torch.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from ...errors import EngineError
from ...progress import Progress, span
from .devices import Device, is_out_of_memory, release_memory

logger = logging.getLogger(__name__)
PlanT = TypeVar("PlanT")
AnswerT = TypeVar("AnswerT")


def first_that_fits(
    plans: Sequence[PlanT],
    attempt: Callable[[PlanT, Progress], AnswerT],
    device: Device,
    photos: int,
    progress: Progress,
) -> AnswerT:
    """What `attempt` makes of the first of `plans` that memory allows; its progress goes on from where it ran out.

    Raises EngineError with a sentence where even the last one runs out of memory, and whatever else `attempt` raises.
    """
    reached = 0.0

    def keep(stage: str, fraction: float) -> None:
        nonlocal reached
        reached = fraction
        progress(stage, fraction)

    for number, plan in enumerate(plans):
        try:
            return attempt(plan, span(keep, reached, 1.0))  # a second try has less to tell
        except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's and MPS's have no type of their own
            if not is_out_of_memory(error):
                raise
            last = f"{plan}: {error}"
        except MemoryError as error:
            last = f"{plan}: {error!r}"
        # Only here, after the exception and the frames that it held are gone, is the memory free again. So the log gets
        # its words: whoever keeps log records would keep it.
        logger.warning("out of memory in %s", last)
        release_memory(device)
        if number + 1 < len(plans):
            progress("Memory ran out: trying with less", reached)
    raise EngineError(
        f"The memory of {device.title} ran out with {photos} photos: use fewer photos, half precision or a smaller "
        "--input-size, or close other programs.",
        last,
    )
