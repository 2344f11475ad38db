"""A release is made as a whole or not at all."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from distribution import release as release_module
from distribution.errors import PackageError
from distribution.platforms import PLATFORMS, Platform
from distribution.release import release

CHANGELOG = """# Changelog

## Unreleased

### Added
- Something new.

## 0.1.0 - 2026-01-01
- The first.
"""


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@b")
    folder = tmp_path / "repository"
    (folder / "vggt_addon").mkdir(parents=True)
    (folder / "blender_manifest.toml").write_text('schema_version = "1.0.0"\nversion = "0.1.0"\n')
    (folder / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    (folder / "vggt_addon/__init__.py").write_text('__version__ = "0.1.0"\n')
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the building of zips, which has tests of its own; notes the manifest's line that they would get."""
    lines: list[str] = []

    def build(platforms: Sequence[Platform], output: Path, repository: Path) -> list[Path]:
        lines.append((repository / "blender_manifest.toml").read_text().splitlines()[1])
        output.mkdir(exist_ok=True)
        made = [output / f"vggt_addon-0.2.0-{platform.in_file_names}.zip" for platform in platforms]
        for path in made:
            path.write_bytes(b"")
        return made

    monkeypatch.setattr(release_module, "build", build)
    return lines


def test_version_changelog_zips_commit_and_tag(repository: Path, built: list[str], tmp_path: Path) -> None:
    output = tmp_path / "dist"
    output.mkdir()
    (output / "vggt_addon-0.1.0-linux_x64.zip").write_bytes(b"the last release")
    made = release("0.2.0", output, repository)
    assert len(made) == len(PLATFORMS) and sorted(output.iterdir()) == sorted(made)
    assert built == ['version = "0.2.0"']
    for name in ("blender_manifest.toml", "pyproject.toml", "vggt_addon/__init__.py"):
        assert '"0.2.0"' in (repository / name).read_text() and '"0.1.0"' not in (repository / name).read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert (
        changelog.index("## Unreleased\n\n## 0.2.0 - 20") < changelog.index("Something new") < changelog.index("0.1.0")
    )
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "tag", "--points-at", "HEAD") == "v0.2.0"


def test_a_build_that_fails_leaves_everything_as_it_was(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(platforms: Sequence[Platform], output: Path, repository: Path) -> list[Path]:
        raise PackageError("no wheel")

    monkeypatch.setattr(release_module, "build", fail)
    with pytest.raises(PackageError, match="no wheel"):
        release("0.2.0", tmp_path / "dist", repository)
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "tag", "--list") == ""


@pytest.mark.usefixtures("built")
def test_a_tag_that_fails_leaves_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")
    real = release_module._git

    def fail(where: Path, *arguments: str) -> str:
        if arguments[:1] == ("tag",) and "--list" not in arguments:
            raise PackageError("no tag")
        return real(where, *arguments)

    monkeypatch.setattr(release_module, "_git", fail)
    with pytest.raises(PackageError, match="no tag"):
        release("0.2.0", tmp_path / "dist", repository)
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("version", "changed", "sentence"),
    [
        ("1.2", {}, "is no version"),
        ("", {}, "is no version"),
        ("0.0.9", {}, "older than 0.1.0"),
        ("0.2.0", {"new.txt": ""}, "not clean"),
        ("0.2.0", {"CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 0.1.0\n- The first.\n"}, "says nothing"),
    ],
)
def test_what_cannot_be_released(
    repository: Path, tmp_path: Path, version: str, changed: dict[str, str], sentence: str
) -> None:
    for name, text in changed.items():
        (repository / name).write_text(text)
        if name != "new.txt":
            git(repository, "commit", "--quiet", "--all", "--message", "changed")
    with pytest.raises(PackageError, match=sentence):
        release(version, tmp_path / "dist", repository)
    assert 'version = "0.1.0"' in (repository / "pyproject.toml").read_text()


@pytest.mark.usefixtures("built")
def test_a_version_is_released_once(repository: Path, tmp_path: Path) -> None:
    release("0.2.0", tmp_path / "dist", repository)
    (repository / "CHANGELOG.md").write_text(CHANGELOG)
    git(repository, "commit", "--quiet", "--all", "--message", "more")
    with pytest.raises(PackageError, match="released already"):
        release("0.2.0", tmp_path / "dist", repository)
