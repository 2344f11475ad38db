"""What the names of wheels say."""

import pytest

from distribution.errors import PackageError
from distribution.wheel_names import parse_wheel_name


def test_a_name_is_taken_apart() -> None:
    name = parse_wheel_name("Some_Package-1.2.3-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl")
    assert (name.package, name.version, name.pythons, name.abis) == ("some-package", "1.2.3", ("cp311",), ("cp311",))
    assert name.platforms == ("manylinux_2_27_x86_64", "manylinux_2_28_x86_64")


@pytest.mark.parametrize(
    ("tags", "served"),
    [
        ("cp311-cp311", {"3.11"}),
        ("cp313-cp313", {"3.13"}),
        ("cp37-abi3", {"3.11", "3.13", "3.14"}),
        ("cp312-abi3", {"3.13", "3.14"}),
        ("py3-none", {"3.11", "3.13", "3.14"}),
        ("py2.py3-none", {"3.11", "3.13", "3.14"}),
        ("cp313-cp313t", set()),  # without the global lock: another program
        ("pp311-pypy311_pp73", set()),
    ],
)
def test_which_pythons_take_it(tags: str, served: set[str]) -> None:
    name = parse_wheel_name(f"package-1.0-{tags}-win_amd64.whl")
    assert {python for python in ("3.11", "3.13", "3.14") if name.serves(python)} == served


@pytest.mark.parametrize("file", ["package-1.0.tar.gz", "package-1.0-py3.whl", "../package-1.0-py3-none-any.whl"])
def test_what_is_no_wheel_is_refused(file: str) -> None:
    with pytest.raises(PackageError, match="not named like a wheel"):
        parse_wheel_name(file)
