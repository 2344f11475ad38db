"""The folder that a zip is made of: the product, its wheels, and everybody's licences.

This module imports nothing beyond the standard library.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .manifest import packaged_manifest
from .needs import check_needs
from .platforms import Platform
from .project import MANIFEST, REPOSITORY
from .third_party import write_licences

_FILES = ("__init__.py", "LICENSE")
_PACKAGE = "vggt_addon"
THIRD_PARTY = "third_party"


def stage(folder: Path, platform: Platform, wheels: Mapping[str, Path], repository: Path = REPOSITORY) -> None:
    """Fill the empty `folder`. Raises PackageError where a licence is not known, or a wheel lacks what it needs."""
    check_needs(wheels)
    for path in product_files(repository):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / path, target)
    (folder / "wheels").mkdir()
    for file, path in wheels.items():
        _link(path, folder / "wheels" / file)
    write_licences(wheels, folder / THIRD_PARTY, repository)
    manifest = (repository / MANIFEST).read_text(encoding="utf-8")
    packaged = packaged_manifest(manifest, platform.name, [f"./wheels/{file}" for file in wheels])
    (folder / MANIFEST).write_text(packaged, encoding="utf-8")


def product_files(repository: Path = REPOSITORY) -> list[Path]:
    """What of the repository a user runs, relative to it."""
    found = [
        path.relative_to(repository)
        for path in sorted((repository / _PACKAGE).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]
    return [*map(Path, _FILES), *found]


def _link(source: Path, target: Path) -> None:
    """A second name for the file where the disk has that; a copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
