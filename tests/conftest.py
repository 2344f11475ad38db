"""What all tests share: the photos and references that live outside the repository."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parent.parent
SHARED = Path(os.environ.get("SHARED", "") or REPOSITORY.parent / "shared").absolute()


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a file or folder below SHARED (environment variable; default ../shared); skips where it is absent."""

    def find(relative: str) -> Path:
        path = SHARED / relative
        if not path.exists():
            pytest.skip(f"{relative} is not on this machine; name its folder's root with SHARED=")
        return path

    return find


@pytest.fixture(scope="session")
def helper() -> Callable[[str], ModuleType]:
    """A module that several tests share, by its path below tests/: helper("scene/measures.py")."""

    def load(relative: str) -> ModuleType:
        name = "tests_" + relative.removesuffix(".py").replace("/", "_")
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / relative)
            if spec is None or spec.loader is None:
                raise ImportError(relative)
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    return load
