"""Everybody's licences are in the zip, and what is not known of stops the build."""

import re
import zipfile
from pathlib import Path

import pytest

from distribution.errors import PackageError
from distribution.lock import read_lock
from distribution.platforms import PLATFORMS, Platform
from distribution.project import REPOSITORY, bundled
from distribution.registry import CACHE, missing
from distribution.third_party import TEXTS, read_libraries, write_licences


def wheel(folder: Path, members: dict[str, str]) -> dict[str, Path]:
    """A wheel of the solver with these files, by name."""
    path = folder / "solver-2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("solver-2.0.dist-info/METADATA", "Name: solver\nLicense-Expression: MIT\n\nWords.\n")
        for name, content in members.items():
            archive.writestr(name, content)
    return {path.name: path}


def test_every_library_has_its_texts() -> None:
    libraries = read_libraries()
    assert len({library.name for library in libraries}) == len(libraries) > 50
    for library in libraries:
        assert library.copyright and library.page.startswith("http") and (library.files or library.inside)
        assert library.texts
        for name in library.texts:
            assert (REPOSITORY / TEXTS / f"{name}.txt").stat().st_size > 200, name
        assert set(library.inside) <= set(bundled())


def test_every_text_is_of_a_library() -> None:
    used = {f"{name}.txt" for library in read_libraries() for name in library.texts}
    assert {path.name for path in (REPOSITORY / TEXTS).iterdir()} == used


def test_a_file_is_one_librarys_alone() -> None:
    libraries = read_libraries()
    names = (
        "libx264-d6533a8d.so.165", "libxcb-shape-7716c890.so.0.0.0", "z-5f811a556f2322c5.dll", "libz.1.3.zlib-ng.dylib",
        "libzmq.5.dylib", "libwebpmux.3.dylib", "libX11.6.dylib", "amd-d350db6141dde298e58d03d8c7022c23.dll",
        "libSvtAv1Enc.2.2.0.dylib", "libavif.16.4.2.dylib", "opencv_videoio_ffmpeg4110_64.dll",
    )  # fmt: skip
    for name in names:
        assert len([library.name for library in libraries if library.is_in(name)]) == 1, name


def test_a_wheels_own_texts_and_those_of_what_is_in_it(tmp_path: Path) -> None:
    members = {
        "solver-2.0.dist-info/licenses/COPYING.txt": "do as you like",
        "solver-2.0.dist-info/RECORD": "",
        "solver.libs/libx264-d6533a8d.so.165": "",
        "solver/LICENSE": "not this one",
    }
    write_licences(wheel(tmp_path, members), tmp_path / "third_party")
    assert (tmp_path / "third_party/solver-2.0/COPYING.txt").read_text() == "do as you like"
    assert len(list((tmp_path / "third_party/solver-2.0").iterdir())) == 1
    assert (tmp_path / "third_party/texts/GPL-2.0-or-later.txt").exists()
    page = (tmp_path / "third_party/README.txt").read_text()
    assert "solver-2.0\n    licence: MIT" in page and "x264\n    licence: GPL-2.0-or-later" in page


def test_a_wheel_without_a_licence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="brings no licence"):
        write_licences(wheel(tmp_path, {"solver/LICENSE": "not this one"}), tmp_path / "third_party")


@pytest.mark.parametrize("file", ["solver.libs/libsecret-1.so", "solver/.dylibs/libsecret.dylib", "solver/secret.dll"])
def test_a_library_that_nothing_is_known_of_is_refused(tmp_path: Path, file: str) -> None:
    members = {"solver-2.0.dist-info/LICENSE": "do as you like", file: ""}
    with pytest.raises(PackageError, match=r"secret.*says nothing"):
        write_licences(wheel(tmp_path, members), tmp_path / "third_party")


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_wheels_that_are_locked(platform: Platform, tmp_path: Path) -> None:
    """Each brings a licence, and all that is built into it is known. (`make package` refuses otherwise, too.)"""
    wheels = read_lock(platform)
    if absent := missing(wheels):
        pytest.skip(f"{len(absent)} wheels are not in {CACHE}: `make package` fetches them")
    write_licences({file: REPOSITORY / CACHE / file for file in wheels}, tmp_path / "third_party")
    page = (tmp_path / "third_party/README.txt").read_text(encoding="utf-8")
    named = re.findall(r"texts: (.*(?:\n {8}.*)*)", page)
    for path in (name.strip() for line in named for name in line.replace("\n", " ").split(",")):
        assert (tmp_path / "third_party" / path).stat().st_size > 200, path
