"""The lock holds what `requirements/run.in` asks for, on every platform and for every Python; its errors say so."""

from pathlib import Path

import pytest

from distribution.errors import PackageError
from distribution.lock import LOCK, check_complete, read_lock, write_lock
from distribution.platforms import PLATFORMS, Platform, find_platform
from distribution.project import NOT_BUNDLED, bundled, bundled_for
from distribution.wheel_names import parse_wheel_name

DIGEST = "0" * 64
LINUX = Platform("linux-x64", ("manylinux_2_28_x86_64",), ("3.11", "3.13"), engine=True)
PACKAGES = {"solver": "2.0", "pictures": "1.1"}
WHEELS = {
    "solver-2.0-cp311-cp311-manylinux_2_28_x86_64.whl": DIGEST,
    "solver-2.0-cp313-cp313-manylinux_2_28_x86_64.whl": DIGEST,
    "pictures-1.1-cp37-abi3-manylinux_2_28_x86_64.whl": DIGEST,
}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_lock_is_complete(platform: Platform) -> None:
    packages = {parse_wheel_name(file).package for file in read_lock(platform)}
    assert packages == set(bundled_for(platform))
    assert not packages & set(NOT_BUNDLED)
    assert platform.engine == ("pycolmap" in packages)


def test_blenders_of_2026_are_served() -> None:
    for name in ("linux-x64", "windows-x64", "macos-arm64"):
        assert {"3.11", "3.13"} <= set(find_platform(name).pythons) and find_platform(name).engine
    with pytest.raises(PackageError, match="no platform amiga"):
        find_platform("amiga")


def test_complete_is_complete() -> None:
    check_complete(WHEELS, LINUX, PACKAGES)


@pytest.mark.parametrize("lost", list(WHEELS))
def test_a_wheel_that_is_missing(lost: str) -> None:
    with pytest.raises(PackageError, match=f"no {parse_wheel_name(lost).package} for Python .*make lock-wheels"):
        check_complete({file: DIGEST for file in WHEELS if file != lost}, LINUX, PACKAGES)


@pytest.mark.parametrize(
    "file",
    [
        "solver-2.1-cp311-cp311-manylinux_2_28_x86_64.whl",  # of another version
        "numpy-2.0-cp311-cp311-manylinux_2_28_x86_64.whl",  # not asked for
        "solver-2.0-cp312-cp312-manylinux_2_28_x86_64.whl",  # for a Python that no Blender has
        "pictures-1.1-cp311-cp311-win_amd64.whl",  # for another platform
        "solver-2.0-cp311-abi3-manylinux_2_28_x86_64.whl.exe",
    ],
)
def test_a_wheel_that_should_not_be_there(file: str) -> None:
    with pytest.raises(PackageError):
        check_complete({**WHEELS, file: DIGEST}, LINUX, PACKAGES)


def test_a_digest_that_is_none() -> None:
    file = next(iter(WHEELS))
    with pytest.raises(PackageError, match="should not be in"):
        check_complete({**WHEELS, file: "../x"}, LINUX, PACKAGES)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.in").write_text("numpy<2\nsolver==2.0  # why\npictures==1.1\n# no more\n")
    write_lock({"linux-x64": WHEELS}, tmp_path)
    assert read_lock(LINUX, tmp_path) == WHEELS


def test_a_requirement_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.in").write_text("solver>=2\n")
    with pytest.raises(PackageError, match="one version"):
        bundled(tmp_path)
