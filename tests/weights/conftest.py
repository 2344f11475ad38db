"""What the tests of weights share."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from vggt_addon.errors import WeightsError
from vggt_addon.weights.checkpoint import open_checkpoint

# Words of the libraries and of their file formats, which an artist need not know.
JARGON = (
    "pickl",
    "zip",
    "mmap",
    "weights_only",
    "stride",
    "storage",
    "meta",
    "header",
    "json",
    "Error",
    "None",
    "\x1b",
)


@pytest.fixture(scope="session")
def handmade(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("weights/handmade.py")


@pytest.fixture(scope="session")
def assert_plain() -> Callable[[WeightsError, Path], str]:
    """The sentence of a refusal, which must name the file, say it in plain words, and end."""

    def check(error: WeightsError, path: Path) -> str:
        assert error.sentence.startswith(str(path)), error.sentence
        said = error.sentence.removeprefix(str(path))
        assert not [word for word in JARGON if word in said], said
        assert said.endswith(".") and "\n" not in said
        return said

    return check


@pytest.fixture(scope="session")
def refused(assert_plain: Callable[[WeightsError, Path], str]) -> Callable[[Path], str]:
    """What `open_checkpoint` says of a file that it must refuse, without the file's name."""

    def check(path: Path) -> str:
        with pytest.raises(WeightsError) as caught:
            open_checkpoint(path)
        return assert_plain(caught.value, path)

    return check
