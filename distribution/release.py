"""A release: version and changelog set, zips and index built, the commit and its tag made; nothing is pushed.

This module imports nothing beyond the standard library; git runs as a process of its own.
"""

import datetime
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .build import INDEX, build, zips
from .errors import PackageError
from .manifest import with_version
from .platforms import PLATFORMS, Platform
from .project import MANIFEST, REPOSITORY, version

CHANGELOG = "CHANGELOG.md"
INIT = Path("vggt_addon", "__init__.py")
_HEADING = "## Unreleased"


def release(
    new: str, output: Path, repository: Path = REPOSITORY, platforms: Sequence[Platform] = PLATFORMS
) -> list[Path]:
    """Release version `new`. Raises PackageError; the repository is then as it was."""
    _check(new, repository)
    texts = {name: (repository / name).read_text(encoding="utf-8") for name in (MANIFEST, "pyproject.toml", INIT)}
    texts[CHANGELOG] = (repository / CHANGELOG).read_text(encoding="utf-8")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    changed = {name: _changed(name, text, new, today) for name, text in texts.items()}
    head = _git(repository, "rev-parse", "HEAD").strip()
    try:
        _write(changed, repository)
        for leftover in (*zips(output), *(output / name for name in INDEX)):
            leftover.unlink(missing_ok=True)
        made = build(platforms, output, repository)
        _git(repository, "commit", "--quiet", "--all", "--message", f"Release {new}")
        _git(repository, "tag", f"v{new}")
    except BaseException:
        _git(repository, "reset", "--quiet", head)  # the commit, where it was made; files stay as they are
        _write(texts, repository)
        raise
    return made


def _check(new: str, repository: Path) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+", new):
        raise PackageError(f"{new or 'Nothing'} is no version: give one like 1.2.3.")
    now = version(repository)
    if tuple(map(int, new.split("."))) < tuple(map(int, now.split("."))):
        raise PackageError(f"{new} is older than {now}, which the manifest says already.")
    if changes := _git(repository, "status", "--porcelain"):
        raise PackageError(f"The working tree is not clean: commit or remove these first.\n{changes}")
    if _git(repository, "tag", "--list", f"v{new}"):
        raise PackageError(f"{new} was released already: there is a tag v{new}.")
    text = (repository / CHANGELOG).read_text(encoding="utf-8")
    found = re.search(rf"^{_HEADING}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None or "\n- " not in found[1]:
        raise PackageError(f"{CHANGELOG} says nothing below `{_HEADING}`: say what is new, then release.")


def _changed(name: str | Path, text: str, new: str, today: datetime.date) -> str:
    if name == CHANGELOG:
        return text.replace(f"{_HEADING}\n", f"{_HEADING}\n\n## {new} - {today.isoformat()}\n", 1)
    if name == INIT:
        return re.sub(r'^__version__ = "[^"]*"$', f'__version__ = "{new}"', text, flags=re.MULTILINE)
    return with_version(text, new)


def _write(texts: dict[str | Path, str], repository: Path) -> None:
    for name, text in texts.items():
        path = repository / name
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise PackageError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()
