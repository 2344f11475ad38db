"""No wheel asks for what is neither in the zip nor in Blender."""

import zipfile
from pathlib import Path

import pytest

from distribution.errors import PackageError
from distribution.lock import read_lock
from distribution.needs import check_needs
from distribution.platforms import PLATFORMS, Platform
from distribution.project import REPOSITORY
from distribution.registry import CACHE, missing


def wheel(folder: Path, package: str, *needs: str) -> dict[str, Path]:
    """A wheel that asks for these, by name."""
    path = folder / f"{package}-2.0-py3-none-any.whl"
    lines = "".join(f"Requires-Dist: {line}\n" for line in needs)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{package}-2.0.dist-info/METADATA", f"Name: {package}\n{lines}\nWords.\n")
    return {path.name: path}


def test_blenders_numpy_a_neighbour_and_optional_parts_are_fine(tmp_path: Path) -> None:
    asked = ("numpy>=1.23.5; python_version >= '3.11'", "Some.Pictures (>=1)", 'torch>=2; extra == "learned"')
    check_needs(wheel(tmp_path, "solver", *asked) | wheel(tmp_path, "some_pictures"))


def test_what_is_nowhere_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"solver.* needs scipy: pin it"):
        check_needs(wheel(tmp_path, "solver", "numpy", "scipy>=1.11"))


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_wheels_that_are_locked(platform: Platform) -> None:
    wheels = read_lock(platform)
    if absent := missing(wheels):
        pytest.skip(f"{len(absent)} wheels are not in {CACHE}: `make package` fetches them")
    check_needs({file: REPOSITORY / CACHE / file for file in wheels})
