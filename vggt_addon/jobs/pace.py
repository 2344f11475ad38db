"""How long a job will still take, from how it has gone.

This module imports nothing beyond the standard library.
"""

import math

FIRST_SECONDS = 3.0  # nothing is told before
FIRST_FRACTION = 0.02  # nor with less done
MEMORY_SECONDS = 20.0  # how far back the speed is looked at, about
CALM_SECONDS = 4.0  # how quickly what is told follows what is measured


class Pace:
    """The time left, told anew with every progress: by the speed of late, since stages differ, and without jumps."""

    def __init__(self, now: float) -> None:
        self._start = self._last = now
        self._fraction = 0.0
        self._seconds = self._share = 0.0  # of late: time, and what was done in it; the longer ago the less it counts
        self._left: float | None = None

    def seconds_left(self, now: float, fraction: float) -> float | None:
        """Seconds from `now`, a monotonic clock, at which `fraction` is done; None where it is too early to tell."""
        step, self._last = max(now - self._last, 0.0), max(now, self._last)
        done = max(fraction - self._fraction, 0.0)
        self._fraction += done
        fade = math.exp(-step / MEMORY_SECONDS)
        self._seconds = self._seconds * fade + step
        self._share = self._share * fade + done
        if now - self._start < FIRST_SECONDS or self._fraction < FIRST_FRACTION or not self._share:
            return None
        measured = (1.0 - self._fraction) * self._seconds / self._share
        if self._left is None:
            self._left = measured
        else:
            expected = max(self._left - step, 0.0)
            self._left = expected + (measured - expected) * (1.0 - math.exp(-step / CALM_SECONDS))
        return self._left
