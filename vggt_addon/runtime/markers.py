"""For which platform and Python a line of the lock is: environment markers (PEP 508), as far as locks have them.

This module imports nothing beyond the standard library.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_FACTS = {
    "linux-x64": ("linux", "Linux", "posix", "x86_64"),
    "linux-arm64": ("linux", "Linux", "posix", "aarch64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows-x64": ("win32", "Windows", "nt", "AMD64"),
}
_VERSIONS = ("python_full_version", "python_version")
_NEWEST = 99  # of a minor version of Python, which one is not said
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()])|(?P<word>and|or)\b|(?P<name>\w+)\s*(?P<operator>[=!<>]=|[<>])\s*'(?P<value>[^']*)')"
)
_Compare = Callable[[Any, Any], bool]
_WORDS: dict[str, _Compare] = {"==": operator.eq, "!=": operator.ne}
_NUMBERS: dict[str, _Compare] = _WORDS | {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def applies(marker: str, platform: str, python: str) -> bool:
    """Whether `marker` ("sys_platform == 'win32'", or "" for all) holds on `platform` with the Python "3.11".

    Raises ValueError where it is not of the kind that is known here.
    """
    if not marker:
        return True
    facts = dict(zip(("sys_platform", "platform_system", "os_name", "platform_machine"), _FACTS[platform], strict=True))
    facts |= {"python_full_version": f"{python}.{_NEWEST}", "python_version": python}
    rest = _tokens(marker)
    value = _either(rest, facts)
    if rest:
        raise ValueError(f"{marker!r} goes on with {rest[0][0]!r}")
    return value


def _tokens(marker: str) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    position, end = 0, len(marker.rstrip())
    while position < end:
        token = _TOKEN.match(marker, position)
        if token is None:
            raise ValueError(f"{marker[position:]!r} is no marker")
        found.append(token)
        position = token.end()
    return found


def _either(rest: list[re.Match[str]], facts: Mapping[str, str]) -> bool:
    value = _both(rest, facts)
    while rest and rest[0]["word"] == "or":
        rest.pop(0)
        value = _both(rest, facts) or value
    return value


def _both(rest: list[re.Match[str]], facts: Mapping[str, str]) -> bool:
    value = _one(rest, facts)
    while rest and rest[0]["word"] == "and":
        rest.pop(0)
        value = _one(rest, facts) and value
    return value


def _one(rest: list[re.Match[str]], facts: Mapping[str, str]) -> bool:
    if not rest:
        raise ValueError("the marker ends too early")
    token = rest.pop(0)
    if token["sign"] == "(":
        value = _either(rest, facts)
        if not rest or rest.pop(0)["sign"] != ")":
            raise ValueError("a bracket is not closed")
        return value
    name, wanted = token["name"], token["value"]
    compare = (_NUMBERS if name in _VERSIONS else _WORDS).get(token["operator"] or "")
    if name not in facts or compare is None:
        raise ValueError(f"{token[0].strip()!r} is not known")
    if name in _VERSIONS:
        return compare(_numbers(facts[name]), _numbers(wanted))
    return compare(facts[name], wanted)


def _numbers(version: str) -> tuple[int, ...]:
    """ "3.12" as it compares: (3, 12)."""
    return tuple(int(number) for number in version.split("."))
