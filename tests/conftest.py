"""What all tests share: the photos and references that live outside the repository."""

import os
from collections.abc import Callable
from pathlib import Path

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
