"""How long a job will still take, from how it has gone.

This module imports nothing beyond the standard library.
"""

import math

FIRST_SECONDS = 3.0  # nothing is told before
FIRST_FRACTION = 0.02  # nor with less done
MEMORY_SECONDS = 15.0  # how far back the speed is looked at, about


class Pace:
    """The time left, told anew with every progress: smoothed, since stages differ in speed."""

    def __init__(self, now: float) -> None:
        self._start = self._last = now
        self._fraction = 0.0
        self._left: float | None = None

    def seconds_left(self, now: float, fraction: float) -> float | None:
        """Seconds from `now`, a monotonic clock, at which `fraction` is done; None where it is too early to tell."""
        passed = now - self._start
        step, self._last = max(now - self._last, 0.0), now
        self._fraction = max(self._fraction, fraction)
        if passed < FIRST_SECONDS or self._fraction < FIRST_FRACTION:
            return None
        measured = passed * (1.0 - self._fraction) / self._fraction
        if self._left is None:
            self._left = measured
        else:
            expected = max(self._left - step, 0.0)
            self._left = expected + (measured - expected) * (1.0 - math.exp(-step / MEMORY_SECONDS))
        return self._left
