"""Wheels come into the cache as they are locked, or not at all."""

import hashlib
from pathlib import Path

import pytest

from distribution import registry
from distribution.errors import PackageError

FILE = "solver-2.0-py3-none-any.whl"
CONTENT = b"a wheel"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the registry gives, one after the other."""
    contents: list[bytes] = []

    def download(file: str, digest: str, folder: Path) -> None:
        assert (file, digest) == (FILE, DIGEST)
        (folder / file).write_bytes(contents.pop(0))

    monkeypatch.setattr(registry, "_download", download)
    return contents


def test_it_is_fetched_once(given: list[bytes], tmp_path: Path) -> None:
    given.append(CONTENT)
    assert registry.missing({FILE: DIGEST}, tmp_path) == [FILE]
    for _ in range(2):
        assert registry.fetch({FILE: DIGEST}, tmp_path)[FILE].read_bytes() == CONTENT
    assert registry.missing({FILE: DIGEST}, tmp_path) == []
    assert [path.name for path in (tmp_path / registry.CACHE).iterdir()] == [FILE]


def test_a_damaged_one_is_fetched_again(given: list[bytes], tmp_path: Path) -> None:
    (tmp_path / registry.CACHE).mkdir(parents=True)
    (tmp_path / registry.CACHE / FILE).write_bytes(CONTENT[:-1])
    given.append(CONTENT)
    assert registry.fetch({FILE: DIGEST}, tmp_path)[FILE].read_bytes() == CONTENT


def test_another_file_of_that_name_is_not_taken(given: list[bytes], tmp_path: Path) -> None:
    given.append(b"something else")
    with pytest.raises(PackageError, match="not what is locked"):
        registry.fetch({FILE: DIGEST}, tmp_path)
    assert not list((tmp_path / registry.CACHE).iterdir())


def test_what_the_registry_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, tmp_path.as_uri())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PackageError, match="pip could not get wheels"):
        registry.fetch({FILE: DIGEST}, tmp_path)
