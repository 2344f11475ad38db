"""Clips that the tests make."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def clips(helper: Callable[[str], ModuleType]) -> ModuleType:
    """What makes them: clips.py."""
    return helper("photos/clips.py")
