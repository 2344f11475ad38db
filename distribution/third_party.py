"""The licences of all that a zip carries: of the wheels, and of the libraries that are built into them.

This module imports nothing beyond the standard library.
"""

import email
import re
import textwrap
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import PackageError
from .project import REPOSITORY
from .wheel_names import parse_wheel_name

LIBRARIES = Path("wheels", "libraries.toml")
TEXTS = Path("wheels", "licenses")
INDEX = "README.txt"
_LICENCE_FILE = re.compile(r"licen[cs]|copying|notice|authors", re.IGNORECASE)
_BINARY = re.compile(r"\.(?:lib|dylib)s/.+|\.dll$")  # where those who repair wheels put the libraries of others

_HEAD = """\
What this extension carries beyond its own code, and under which licences. Its own is in the file LICENSE beside this
folder. The wheels are as their publishers made them. Where a licence gives you a right to the source, it is at the
page that is named, in the version that the wheel names.
"""


@dataclass(frozen=True)
class Library:
    """Something that the publisher of a wheel has built into it."""

    name: str
    license: str  # SPDX expression
    copyright: str
    page: str
    files: tuple[str, ...]  # how files begin that it is in
    inside: tuple[str, ...]  # packages whose own binaries hold it

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of its licences and exceptions, each of which has a text."""
        return tuple(sorted(set(re.findall(r"[A-Za-z0-9.-]+", self.license)) - {"AND", "OR", "WITH"}))

    def is_in(self, file: str) -> bool:
        """Whether the file of that name is it."""
        return any(file.startswith(begin) and not file[len(begin) : len(begin) + 1].isalpha() for begin in self.files)


def read_libraries(repository: Path = REPOSITORY) -> tuple[Library, ...]:
    """What is known of libraries within wheels."""
    data = tomllib.loads((repository / LIBRARIES).read_text(encoding="utf-8"))
    return tuple(
        Library(
            name,
            entry["license"],
            entry["copyright"],
            entry["page"],
            tuple(entry.get("files", ())),
            tuple(entry.get("inside", ())),
        )
        for name, entry in data.items()
    )


def write_licences(wheels: Mapping[str, Path], folder: Path, repository: Path = REPOSITORY) -> None:
    """Make `folder`: a page that lists everything, a folder per wheel with its own files, and the licences' texts.

    Raises PackageError where a wheel brings no licence, or a library that nothing is known of.
    """
    libraries = read_libraries(repository)
    folder.mkdir(parents=True)
    paragraphs = [_HEAD]
    found: dict[str, Library] = {}
    for file, path in sorted(wheels.items()):
        name = parse_wheel_name(file)
        place = folder / f"{name.package}-{name.version}"
        with zipfile.ZipFile(path) as wheel:
            if not place.exists():  # wheels of one package for several Pythons bring the same
                texts = _own_texts(wheel, file)
                place.mkdir()
                for text, content in texts.items():
                    (place / text).write_bytes(content)
                paragraphs.append(_wheel_paragraph(wheel, place.name, texts))
            found |= {library.name: library for library in _within(wheel, file, name.package, libraries)}
    paragraphs += [_library_paragraph(found[name]) for name in sorted(found, key=str.lower)]
    (folder / INDEX).write_text("\n".join(paragraphs), encoding="utf-8")
    _write_texts(found.values(), folder / "texts", repository)


def _own_texts(wheel: zipfile.ZipFile, file: str) -> dict[str, bytes]:
    """The licences that the wheel's description brings, by plain name."""
    found = {
        Path(member).name: wheel.read(member)
        for member in wheel.namelist()
        if member.partition("/")[0].endswith(".dist-info") and _LICENCE_FILE.search(member.rpartition("/")[2])
    }
    if not found:
        raise PackageError(f"{file} brings no licence: leave it out, or teach {__name__} where its licence is.")
    return found


def _within(wheel: zipfile.ZipFile, file: str, package: str, libraries: Iterable[Library]) -> list[Library]:
    found = [library for library in libraries if package in library.inside]
    for member in wheel.namelist():
        if _BINARY.search(member) and not member.endswith("/"):
            name = member.rpartition("/")[2]
            fitting = [library for library in libraries if library.is_in(name)]
            if not fitting:
                raise PackageError(f"{file} carries {name}, of which {LIBRARIES} says nothing: add what it is.")
            found += fitting
    return found


def _wheel_paragraph(wheel: zipfile.ZipFile, title: str, texts: Iterable[str]) -> str:
    metadata = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
    said = email.message_from_bytes(wheel.read(metadata))
    classified = [value.rpartition(" :: ")[2] for value in said.get_all("Classifier", []) if "License ::" in value]
    license = said["License-Expression"] or ", ".join(classified) or "see its files"
    return f"{title}\n    licence: {license}\n    texts: {', '.join(f'{title}/{text}' for text in sorted(texts))}\n"


def _library_paragraph(library: Library) -> str:
    lines = [
        f"licence: {library.license}",
        f"copyright: {library.copyright}",
        f"source: {library.page}",
        f"texts: {', '.join(f'texts/{name}.txt' for name in library.texts)}",
    ]
    wrapped = [textwrap.fill(line, 120, initial_indent=" " * 4, subsequent_indent=" " * 8) for line in lines]
    return "\n".join([library.name, *wrapped, ""])


def _write_texts(libraries: Iterable[Library], folder: Path, repository: Path) -> None:
    names = sorted({name for library in libraries for name in library.texts})
    if names:
        folder.mkdir()
    for name in names:
        source = repository / TEXTS / f"{name}.txt"
        if not source.is_file():
            raise PackageError(f"The text of the licence {name} is missing: put it into {TEXTS}.")
        (folder / source.name).write_bytes(source.read_bytes())
