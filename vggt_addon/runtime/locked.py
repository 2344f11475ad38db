"""What a private runtime consists of: locked versions, with hashes where the wheel is the same everywhere.

    packages.lock    versions and sha256 for every platform and Python, made by `make lock` from requirements/runtime.in
    lock.json        torch's version; its builds differ by accelerator, and with them what they need beside

What torch's builds hold cannot be pinned here: they are many, each with libraries of its own. Of these the lock knows
names, and torch's version; which file it is, is for the package index to say, or for whoever made the archive. Both
bring programs that run on this machine.
This module imports nothing beyond the standard library.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import InstallError
from .markers import applies

PACKAGES = "packages.lock"
FACTS = "lock.json"
# What torch's builds bring along: for NVIDIA as resolved for the locked version; for AMD and Intel as their names are.
WITH_TORCH = re.compile(
    r"(nvidia|cuda|intel|onemkl|oneccl|rocm)(-[a-z0-9]+)+|(pytorch-)?triton(-(rocm|xpu))?"
    r"|mkl|tbb|tcmlib|umf|oneccl|impi-rt|dpcpp-cpp-rt|rocm"
)


@dataclass(frozen=True)
class Wheel:
    """One file to install."""

    name: str  # of the package, normalised
    version: str
    file: str  # its name
    sha256: str  # lower-case hex
    url: str  # https: or file:; "" where only an archive or an environment has it
    size: int  # bytes; 0 where not known yet


@dataclass(frozen=True)
class Lock:
    """Versions that go together."""

    packages: str  # requirements with hashes
    torch: str  # its version; "" where there is none, as in tests

    @cached_property
    def id(self) -> str:
        """What tells this lock from an older one."""
        return hashlib.sha256(f"{self.torch}\n{self.packages}".encode()).hexdigest()[:16]

    @cached_property
    def requirements(self) -> tuple[str, ...]:
        """Each package with its version and for where it is, without hashes."""
        lines = self.packages.replace("\\\n", " ").splitlines()
        return tuple(line.split("--hash", 1)[0].strip() for line in lines if "==" in line and not line.startswith("#"))

    @cached_property
    def hashes(self) -> dict[tuple[str, str], frozenset[str]]:
        """The sha256 that are allowed, by normalised name and version."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        for entry in self.packages.replace("\\\n", " ").splitlines():
            pinned = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", entry)
            if pinned:
                found[normalised(pinned[1]), pinned[2]] = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
        return found

    def names(self, platform: str, python: str) -> set[str]:
        """What must be there on `platform` with the Python "3.11", torch too where there is one. Raises ValueError."""
        found = {"torch"} if self.torch else set()
        for line in self.requirements:
            pinned, _, marker = line.partition(";")
            if applies(marker.strip(), platform, python):
                found.add(normalised(pinned.split("==")[0].strip()))
        return found

    def check_all(self, wheels: Sequence[Wheel], platform: str, python: str) -> None:
        """Raise InstallError unless `wheels` are what the lock allows, each once, and all that it asks for."""
        for wheel in wheels:
            self.check(wheel)
        there = [wheel.name for wheel in wheels]
        wrong = (self.names(platform, python) - set(there)) | {name for name in there if there.count(name) > 1}
        if wrong:
            raise InstallError(
                f"{', '.join(sorted(wrong)[:3])} should be there once and is not, so nothing was installed: get or "
                "make the archive again, or ask whoever runs your package index."
            )

    def check(self, wheel: Wheel) -> None:
        """Raise InstallError where the lock does not allow `wheel`.

        torch, and what its builds bring, is allowed by its name and torch's version alone: see the module's docstring.
        """
        allowed = self.hashes.get((wheel.name, wheel.version))
        known = any(name == wheel.name for name, _ in self.hashes)
        with_torch = bool(self.torch) and not known and (wheel.name == "torch" or WITH_TORCH.fullmatch(wheel.name))
        if not (known or with_torch) or normalised(wheel.file.partition("-")[0]) != wheel.name:
            raise InstallError(
                f"{wheel.file} is none of the packages that were tested, so nothing was installed: get or make the "
                "archive again, or ask whoever runs your package index."
            )
        if (known and allowed is None) or (wheel.name == "torch" and wheel.version.partition("+")[0] != self.torch):
            raise InstallError(
                f"{wheel.file} is of another version than the one that was tested: nothing was installed."
            )
        if allowed is not None and wheel.sha256 not in allowed:
            raise InstallError(
                f"{wheel.file} is not the file that was tested (its sha256 differs), so nothing was installed: try "
                "again, and if that happens twice, ask whoever runs your package index."
            )


def normalised(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load_lock(folder: Path = Path(__file__).parent) -> Lock:
    """The lock in `folder`: the add-on's own, unless a test has another. Raises InstallError."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return Lock((folder / PACKAGES).read_text(encoding="utf-8"), str(facts["torch"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(f"{folder} holds no list of packages: install the add-on again.", repr(error)) from error
