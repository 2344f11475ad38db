"""The manifest as zips carry it."""

import tomllib

import pytest

from distribution.manifest import packaged_manifest, with_version
from distribution.project import MANIFEST, REPOSITORY

MANIFEST_TEXT = (REPOSITORY / MANIFEST).read_text(encoding="utf-8")


def test_it_names_its_platform_and_wheels_and_keeps_the_rest() -> None:
    wheels = ["./wheels/b.whl", "./wheels/a.whl"]
    said = tomllib.loads(packaged_manifest(MANIFEST_TEXT, "windows-x64", wheels))
    source = tomllib.loads(MANIFEST_TEXT)
    assert said.pop("platforms") == ["windows-x64"]
    assert said.pop("wheels") == sorted(wheels)
    source.pop("build")
    assert said == source


def test_without_wheels_there_is_no_list_of_them() -> None:
    assert "wheels" not in tomllib.loads(packaged_manifest(MANIFEST_TEXT, "macos-x64", []))


def test_tables_after_build_stay() -> None:
    text = 'id = "x"\n\n[build]\npaths = [\n  "a",\n]\n\n[permissions]\nfiles = "why"\n'
    assert tomllib.loads(packaged_manifest(text, "linux-x64", []))["permissions"] == {"files": "why"}


def test_the_version_is_replaced_once() -> None:
    text = 'schema_version = "1.0.0"\nversion = "0.1.0"\n[tool]\nversion = "9"\n'
    assert with_version(text, "0.2.0") == text.replace('\nversion = "0.1.0"', '\nversion = "0.2.0"')
    with pytest.raises(ValueError, match="no line"):
        with_version('schema_version = "1.0.0"\n', "0.2.0")
