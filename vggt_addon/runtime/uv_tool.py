"""uv as the tool that resolves and installs.

This module imports nothing beyond the standard library.
"""

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
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
                self._run([*arguments, *map(str, files)], cancel, {"UV_TORCH_BACKEND": ""})

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
            return read_pylock(locked.read_text(encoding="utf-8"))

    def _run(self, arguments: Sequence[str], cancel: Cancel, more: Mapping[str, str] | None = None) -> str:
        environment = {**self.environment, **(more or {})}
        environment = {name: value for name, value in environment.items() if value}
        return run([str(self.program), *arguments], environment, self.folder, cancel)


def read_pylock(text: str) -> list[Wheel]:
    """The wheels that a lock file (PEP 751) of one environment names. Raises InstallError."""
    wheels: list[Wheel] = []
    try:
        for package in tomllib.loads(text)["packages"]:
            (entry,) = package["wheels"]
            url = str(entry["url"]) if "url" in entry else Path(entry["path"]).absolute().as_uri()
            file = str(entry.get("name") or PurePosixPath(unquote(urlsplit(url).path)).name)
            name, version = normalised(package["name"]), str(package["version"])
            wheels.append(Wheel(name, version, file, str(entry["hashes"]["sha256"]), url, int(entry.get("size", 0))))
    except (ValueError, KeyError, TypeError) as error:
        raise InstallError(NOT_OFFERED, repr(error)) from error
    return wheels
