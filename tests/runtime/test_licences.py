"""What the artist is told of licences, held to the wheels that are here and to what the package knows of libraries."""

import importlib.metadata
import re

import pytest

from distribution.third_party import _BINARY, Library, read_libraries
from vggt_addon.runtime.licences import LICENCES, OTHERS, licence_lines
from vggt_addon.runtime.locked import load_lock, normalised

LIBRARIES = {library.name: library for library in read_libraries()}
PACKAGES = sorted({name for name, _ in load_lock().hashes})
CARRIERS = [name for name in PACKAGES if name in LICENCES]


def carried(package: str) -> list[Library]:
    """What the wheel that is installed here carries."""
    try:
        files = importlib.metadata.distribution(package).files
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here")
    assert files is not None
    names = [file.name for file in files if _BINARY.search(file.as_posix())]
    return [
        library
        for library in LIBRARIES.values()
        if package in library.inside or any(library.is_in(name) for name in names)
    ]


def kind(library: Library) -> str:
    """ "GPL", "LGPL", "MPL", or "" where it asks for little; of a choice the least, an exception as none."""
    choices = [re.sub(r"[\w.-]+ WITH [\w.-]+", "", choice) for choice in library.license.split(" OR ")]
    found = [next((name for name, pattern in KINDS.items() if re.search(pattern, choice)), "") for choice in choices]
    return min(found, key=["", "MPL", "LGPL", "GPL"].index)


KINDS = {"GPL": r"(?<![AL])GPL", "LGPL": "LGPL", "MPL": "MPL"}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_wheel_carries_is_told(package: str) -> None:
    asking = [library for library in carried(package) if kind(library)]
    told = LICENCES.get(package)
    assert told is not None or not asking, [library.name for library in asking]
    for library in asking:
        assert told is not None
        if kind(library) == "GPL":
            assert (library.name, library.license) in told.carried
        else:
            assert kind(library) in told.kinds, library.name


@pytest.mark.parametrize("package", LICENCES)
def test_what_is_told_is_as_the_package_knows_it(package: str) -> None:
    for name, expression in LICENCES[package].carried:
        assert LIBRARIES[name].license == expression
        assert kind(LIBRARIES[name]) == "GPL"


@pytest.mark.parametrize("package", ["av", "pillow", "pillow-heif", "pycolmap", "torch"])
def test_the_own_licence_is_as_the_wheel_says(package: str) -> None:
    try:
        metadata = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here")
    assert LICENCES[package].own == (metadata["License-Expression"] or metadata["License"])


@pytest.mark.parametrize("package", sorted({*PACKAGES, "torch"} - set(LICENCES)))
def test_all_others_are_permissive(package: str) -> None:
    try:
        metadata = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here")
    classified = [value for value in metadata.get_all("Classifier") or [] if value.startswith("License ::")]
    own = f"{metadata['License-Expression'] or ''} {metadata['License'] or ''} {classified}"
    words = ("MIT", "BSD", "Apache", "PSF", "MPL")
    assert any(word in own and word in OTHERS for word in words), own
    assert not re.search(r"(?<![A-Z])L?GPL", own)


def test_a_line() -> None:
    assert licence_lines(["pillow-heif", "h11"]) == (
        "pillow-heif: BSD-3-Clause, with x265 (GPL-2.0-or-later), others under the LGPL in it",
    )
    assert all(name == normalised(name) for name in LICENCES)
