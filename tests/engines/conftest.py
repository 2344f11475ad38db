"""The reduced networks, for the tests of all of their parts."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def networks(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("engines/networks.py")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Reduced networks have no work for two threads, which lose ten times more by waiting for each other.

    Where torch was not imported by any test, it is not imported here.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
