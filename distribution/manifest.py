"""The manifest as a zip carries it: the repository's, with its platform and wheels.

This module imports nothing beyond the standard library.
"""

import json
import re
import tomllib
from collections.abc import Sequence


def packaged_manifest(text: str, platform: str, wheels: Sequence[str]) -> str:
    """The manifest `text` with `platform` and paths of `wheels` said in it, and without the table [build].

    The zip's folder holds what the zip holds, so there is nothing left to exclude from it.
    """
    head, first_table, tables = _split(text)
    lines = [f"platforms = {json.dumps([platform])}"]
    if wheels:
        lines += ["wheels = [", *(f"  {json.dumps(wheel)}," for wheel in sorted(wheels)), "]"]
    packaged = f"{head.rstrip()}\n" + "\n".join(lines) + f"\n\n{first_table}{tables}"
    packaged = re.sub(r"^\[build\]\n(?:(?!\[)[^\n]*\n?|\n)*", "", packaged, flags=re.MULTILINE).rstrip() + "\n"
    _check(text, packaged, platform, wheels)
    return packaged


def with_version(text: str, version: str) -> str:
    """The TOML `text` with the first line `version = ...` saying `version`."""
    replaced, count = re.subn(r'^version = "[^"]*"$', f'version = "{version}"', text, count=1, flags=re.MULTILINE)
    if count != 1:
        raise ValueError("no line says version")
    return replaced


def _split(text: str) -> tuple[str, str, str]:
    """What stands before the first table, and the rest; keys that come after a table's name are the table's."""
    found = re.search(r"^\[", text, re.MULTILINE)
    return (text[: found.start()], "[", text[found.end() :]) if found else (text, "", "")


def _check(text: str, packaged: str, platform: str, wheels: Sequence[str]) -> None:
    said, expected = tomllib.loads(packaged), tomllib.loads(text)
    expected.pop("build", None)
    expected["platforms"] = [platform]
    if wheels:
        expected["wheels"] = sorted(wheels)
    if said != expected:
        raise ValueError("the manifest is laid out in a way that this module does not know")
