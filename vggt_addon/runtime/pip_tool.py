"""pip, run from its own wheel, as the tool that resolves and installs where uv cannot be had.

This module imports nothing beyond the standard library.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ..errors import InstallError
from ..progress import Cancel
from .accelerator import probe
from .children import run
from .failures import NOT_OFFERED
from .locked import Lock, Wheel, normalised
from .tool import TORCH_INDEX, Target

# The newest driver that the first needs, by major version; what uv would choose itself.
_CUDA_BUILDS = ((580, "cu130"), (525, "cu126"))


@dataclass(frozen=True)
class PipTool:
    """See `tool.Tool`. `wheel` is pip's own; `python` is Blender's, which runs it."""

    wheel: Path
    python: Path
    environment: Mapping[str, str]
    folder: Path
    own_index: bool
    name: str = "pip"

    def create(self, python: Path, environment: Path, cancel: Cancel) -> None:
        """See `tool.Tool`."""
        run([str(python), "-I", "-m", "venv", "--without-pip", str(environment)], self.environment, self.folder, cancel)

    def resolve(self, lock: Lock, backend: str, target: Target, cancel: Cancel) -> list[Wheel]:
        """See `tool.Tool`; for the Python of `target` alone, which must be there."""
        if target.python is None:
            raise InstallError("An archive is made with uv, which cannot be had or run here: see the log.")
        if not lock.torch or backend in ("index", "mps"):
            return self._resolve(lock, f"torch=={lock.torch}" if lock.torch else "", [], target.python, cancel)
        build = _build() if backend == "auto" else backend
        pages = [] if self.own_index else ["--extra-index-url", f"{TORCH_INDEX}/{build}"]
        return self._resolve(lock, f"torch=={lock.torch}+{build}", pages, target.python, cancel)

    def install(self, python: Path, files: Sequence[Path], cancel: Cancel) -> None:
        """See `tool.Tool`."""
        if files:
            arguments = ["install", "--no-index", "--no-deps", "--no-cache-dir", "--no-compile", "--force-reinstall"]
            self._run(python, [*arguments, *map(str, files)], cancel)

    def _resolve(self, lock: Lock, torch: str, pages: list[str], python: Path, cancel: Cancel) -> list[Wheel]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            asked, report = Path(folder) / "packages.txt", Path(folder) / "report.json"
            asked.write_text("".join(f"{line}\n" for line in (*lock.requirements, torch)), encoding="utf-8")
            arguments = ["install", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--no-cache-dir"]
            arguments += [*pages, "--report", str(report), "-r", str(asked)]
            self._run(python, arguments, cancel)
            return read_report(report.read_text(encoding="utf-8"))

    def _run(self, python: Path, arguments: Sequence[str], cancel: Cancel) -> str:
        command = [str(self.python), "-B", str(self.wheel / "pip"), "--python", str(python), *arguments]
        return run(command, self.environment, self.folder, cancel)


def read_report(text: str) -> list[Wheel]:
    """The wheels that pip's report of an installation names. Raises InstallError."""
    wheels: list[Wheel] = []
    try:
        for entry in json.loads(text)["install"]:
            metadata, source = entry["metadata"], entry["download_info"]
            file = PurePosixPath(unquote(urlsplit(source["url"]).path)).name
            sha256 = str(source["archive_info"]["hashes"]["sha256"])
            name, version = normalised(metadata["name"]), str(metadata["version"])
            wheels.append(Wheel(name, version, file, sha256, str(source["url"]), 0))
    except (ValueError, KeyError, TypeError) as error:
        raise InstallError(NOT_OFFERED, repr(error)) from error
    return wheels


def _build() -> str:
    """The build of torch for this machine."""
    card = probe()
    major = int(card.driver.split(".")[0]) if card.kind == "nvidia" and card.driver else 0
    return next((build for newest, build in _CUDA_BUILDS if major >= newest), "cpu")
