"""Clips and photos that the tests make."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def clips(helper: Callable[[str], ModuleType]) -> ModuleType:
    """What makes them: clips.py."""
    return helper("photos/clips.py")


@pytest.fixture(scope="session")
def every_kind(helper: Callable[[str], ModuleType]) -> ModuleType:
    """What makes photos of every kind: every_kind.py."""
    return helper("photos/every_kind.py")


@pytest.fixture(scope="session")
def truth(helper: Callable[[str], ModuleType]) -> ModuleType:
    """Colours in other spaces: color_truth.py."""
    return helper("photos/color_truth.py")
