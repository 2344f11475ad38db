"""The engines of a worker, which keep what is slow to load from one job to the next.

This module imports nothing beyond the standard library and numpy; an engine's own modules only when it is asked for.
"""

from ..engines import registry
from ..engines.base import Engine


class WarmEngines:
    """Engines that were asked for, with what they have loaded. Memory is given back with the process at the latest."""

    def __init__(self) -> None:
        self._kept: dict[str, Engine] = {}

    def create(self, name: str) -> Engine:
        """As `registry.create`, but the same engine as last time."""
        if name not in self._kept:
            self._kept[name] = registry.create(name)
        return self._kept[name]

    def create_alone(self, name: str) -> Engine:
        """As `create`, for an engine that needs the memory: the others are let go first."""
        self._kept = {kept: engine for kept, engine in self._kept.items() if kept == name}
        return self.create(name)

    def forget(self) -> None:
        """Let all go: memory is scarce."""
        self._kept.clear()
