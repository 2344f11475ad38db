"""What the repository says of itself: its version, and which libraries the zips carry.

This module imports nothing beyond the standard library.
"""

import re
import tomllib
from pathlib import Path

from .errors import PackageError
from .platforms import Platform

REPOSITORY = Path(__file__).parent.parent
MANIFEST = "blender_manifest.toml"
REQUIREMENTS = Path("requirements", "run.in")

# Of the requirements, what no zip carries.
NOT_BUNDLED = {
    "bpy": "it is Blender",
    "numpy": "Blender has its own, and two of them in one process end it",
    "tqdm": "only the command line shows a bar",
}
ENGINE_ONLY = ("pycolmap", "opencv-python-headless")  # of no use where the embedded engine does not exist
PROVIDED = frozenset({"numpy"})  # what Blender has and wheels may ask for


def version(repository: Path = REPOSITORY) -> str:
    """The extension's version, as its manifest has it."""
    manifest = tomllib.loads((repository / MANIFEST).read_text(encoding="utf-8"))
    return str(manifest["version"])


def bundled(repository: Path = REPOSITORY) -> dict[str, str]:
    """Version by package, of what the zips carry: all that `requirements/run.in` pins but NOT_BUNDLED.

    Raises PackageError where a line of it pins no version.
    """
    found: dict[str, str] = {}
    for line in (repository / REQUIREMENTS).read_text(encoding="utf-8").splitlines():
        requirement = line.partition("#")[0].strip()
        name = re.match(r"[A-Za-z0-9._-]*", requirement)
        if not requirement or (name and name[0] in NOT_BUNDLED):
            continue
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", requirement)
        if pinned is None:
            raise PackageError(f"{REQUIREMENTS} says {requirement}: the zips need one version, name==version.")
        found[pinned[1]] = pinned[2]
    return dict(sorted(found.items()))


def bundled_for(platform: Platform, repository: Path = REPOSITORY) -> dict[str, str]:
    """Version by package, of what the zip for `platform` carries."""
    packages = bundled(repository)
    return {name: packages[name] for name in packages if platform.engine or name not in ENGINE_ONLY}
