"""The two arguments that every long call takes: `progress` and `cancel`.

This module imports nothing beyond the standard library.
"""

from collections.abc import Callable

from .errors import Cancelled

Progress = Callable[[str, float], None]
"""Called with the stage's name in plain words and the share of the whole call that is done: [0, 1], never falling."""

Cancel = Callable[[], bool]
"""Asked often; True means stop soon. It may be called from any thread, so it must be quick and thread-safe."""


def no_progress(stage: str, fraction: float) -> None:
    """Tell nobody."""


def never() -> bool:
    """Nobody asked to stop."""
    return False


def span(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part: the part's own [0, 1] is told to `progress` as [start, end] of the whole."""

    def part(stage: str, fraction: float) -> None:
        progress(stage, start + (end - start) * min(max(fraction, 0.0), 1.0))

    return part


def check(cancel: Cancel) -> None:
    """Raise `Cancelled` if a stop was asked for."""
    if cancel():
        raise Cancelled
