"""How long our calls of the timer hold Blender.

This module imports nothing beyond the standard library.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """One call of the timer."""

    stage: str  # what was built in it; "" while the worker runs
    seconds: float  # that Blender waited for it, with whatever else the machine did meanwhile
    work: float  # seconds of the main thread's own work


@dataclass
class Timings:
    """All calls of the timer since the run began, without Blender's own undo step, which is told apart."""

    calls: list[Call] = field(default_factory=list)
    undo: float = 0.0  # seconds of the main thread's work

    def longest(self, *, building: bool) -> Call:
        """The call with the most work, of those that built or of those that did not."""
        found = (call for call in self.calls if bool(call.stage) == building)
        return max(found, key=lambda call: call.work, default=Call("", 0.0, 0.0))
