"""The engines of a worker, which keep what is slow to load from one run to the next.

This module imports nothing beyond the standard library and numpy; an engine's own modules only when it is asked for.
"""

from ..engines import registry
from ..engines.base import Engine


class WarmEngines:
    """The engine that ran last, with its network; another takes its place. Memory is given back with the process."""

    def __init__(self) -> None:
        self._kept: Engine | None = None

    def create(self, name: str) -> Engine:
        """As `registry.create`, but the same engine as last time where it is asked for again."""
        if self._kept is None or self._kept.name != name:
            self._kept = None  # first, so that two networks are never in memory
            self._kept = registry.create(name)
        return self._kept

    def forget(self) -> None:
        """Give back what was kept: memory is scarce."""
        self._kept = None
