"""uv as the tool that resolves and installs.

This module imports nothing beyond the standard library.
"""

import platform
import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import InstallError
from ..progress import Cancel
from .children import run
from .failures import NOT_OFFERED
from .locked import Lock, Wheel, normalised
from .platforms import OLDEST_MACOS, TRIPLES
from .tool import Target

_LOCKED = "pylock.runtime.toml"  # uv wants such a name
MANAGED_PYTHON = "3.11"  # where Blender's own cannot be used


@dataclass(frozen=True)
class UvTool:
    """See `tool.Tool`. `own_index`: whether the user has configured where packages come from."""

    program: Path
    environment: Mapping[str, str]
    folder: Path
    own_index: bool
    name: str = "uv"

    def create(self, python: Path, environment: Path, cancel: Cancel) -> None:
        """See `tool.Tool`."""
        self._run(["venv", "--python", str(python), "--no-project", str(environment)], cancel)

    def managed_python(self, folder: Path, cancel: Cancel) -> Path:
        """A Python that uv brings along, below `folder`: where Blender's own cannot make an environment."""
        at = {"UV_PYTHON_INSTALL_DIR": str(folder), "UV_PYTHON_INSTALL_BIN": "0"}
        self._run(["python", "install", "--managed-python", MANAGED_PYTHON], cancel, at)
        found = self._run(["python", "find", "--managed-python", MANAGED_PYTHON], cancel, at)
        return Path(found.strip())

    def resolve(self, lock: Lock, backend: str, target: Target, cancel: Cancel) -> list[Wheel]:
        """See `tool.Tool`. An index of the user's own is asked first for torch's build: it may be all there is."""
        if not lock.torch or backend in ("index", "mps"):
            return self._resolve(lock, f"torch=={lock.torch}" if lock.torch else "", [], target, cancel)
        if self.own_index and backend != "auto":
            try:
                return self._resolve(lock, f"torch=={lock.torch}+{backend}", [], target, cancel)
            except InstallError as error:
                if error.sentence != NOT_OFFERED:
                    raise
        return self._resolve(lock, f"torch=={lock.torch}", [f"--torch-backend={backend}"], target, cancel)

    def install(self, python: Path, files: Sequence[Path], cancel: Cancel) -> None:
        """See `tool.Tool`."""
        if files:
            with tempfile.TemporaryDirectory(dir=self.folder) as cache:  # of its own, so that nothing of it is left
                arguments = ["pip", "install", "--python", str(python), "--offline", "--no-index", "--no-deps"]
                arguments += ["--no-config", "--no-sources", "--link-mode", "hardlink", "--cache-dir", cache]
                self._run(
                    [*arguments, *map(str, files)],
                    cancel,
                    dict.fromkeys(("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"), ""),
                )

    def _resolve(self, lock: Lock, torch: str, options: list[str], target: Target, cancel: Cancel) -> list[Wheel]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            asked, locked = Path(folder) / "packages.txt", Path(folder) / _LOCKED
            asked.write_text("".join(f"{line}\n" for line in (*lock.requirements, torch)), encoding="utf-8")
            arguments = ["pip", "compile", "--quiet", "--only-binary", ":all:", "--no-cache", "--no-header"]
            arguments += ["--no-sources", *options, str(asked), "-o", str(locked)]
            if target.python is not None:
                arguments += ["--python", str(target.python)]
            else:
                arguments += ["--python-version", target.version, "--python-platform", TRIPLES[target.platform]]
            self._run(arguments, cancel, {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS})
            newest = platform.mac_ver()[0] if target.python is not None else ""
            return read_pylock(locked.read_text(encoding="utf-8"), newest or OLDEST_MACOS)

    def _run(self, arguments: Sequence[str], cancel: Cancel, more: Mapping[str, str] | None = None) -> str:
        # The user's own cache is theirs: what uv keeps goes with the tool.
        environment = {**self.environment, "UV_CACHE_DIR": str(self.folder / "cache"), **(more or {})}
        environment = {name: value for name, value in environment.items() if value}
        return run([str(self.program), *arguments], environment, self.folder, cancel)


def read_pylock(text: str, newest_macos: str = OLDEST_MACOS) -> list[Wheel]:
    """The wheels that a lock file (PEP 751) of one environment names. Raises InstallError.

    Of several builds for Macs it takes the one for the newest system up to `newest_macos`.
    """
    wheels: list[Wheel] = []
    try:
        for package in tomllib.loads(text)["packages"]:
            entry = _fitting(package["wheels"], newest_macos)
            url = str(entry["url"]) if "url" in entry else Path(entry["path"]).absolute().as_uri()
            file = str(entry.get("name") or PurePosixPath(unquote(urlsplit(url).path)).name)
            name, version = normalised(package["name"]), str(package["version"])
            wheels.append(Wheel(name, version, file, str(entry["hashes"]["sha256"]), url, int(entry.get("size", 0))))
    except (ValueError, KeyError, TypeError) as error:
        raise InstallError(NOT_OFFERED, repr(error)) from error
    return wheels


def _fitting(entries: list[dict[str, Any]], newest_macos: str) -> dict[str, Any]:
    """The only wheel, or of those for Macs the one for the newest system that is not too new. Raises ValueError."""
    if len(entries) == 1:
        return entries[0]
    limit = tuple(int(number) for number in newest_macos.split(".")[:2])
    found: list[tuple[tuple[int, ...], dict[str, Any]]] = []
    for entry in entries:
        if system := re.search(r"-macosx_(\d+)_(\d+)_", str(entry.get("url") or entry.get("path"))):
            found.append(((int(system[1]), int(system[2])), entry))
    fitting = [pair for pair in found if pair[0] <= limit]
    if len(found) != len(entries) or not fitting:
        raise ValueError(f"{len(entries)} wheels: {entries!r}"[:1000])
    return max(fitting, key=lambda pair: pair[0])[1]
