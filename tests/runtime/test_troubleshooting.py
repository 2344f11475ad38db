"""The page of messages: what it lists is said by the code, and what the code says of failures it lists."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted((REPOSITORY / "vggt_addon" / "runtime").glob("*.py"))
PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## The runtime for the learned engines", 1)[1].split("###", 1)[0]
KEYS = [
    key for row in re.findall(r"^\| (`[^|]*`[^|]*) \|", TABLE, re.MULTILINE) for key in re.findall(r"`([^`]+)`", row)
]


def spoken(node: ast.AST) -> str:
    """A string's text, with … where it has values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
    return ""


def strings(tree: ast.AST) -> list[str]:
    return [text for node in ast.walk(tree) if (text := spoken(node))]


def sentences(tree: ast.AST) -> list[str]:
    """What InstallError is raised with in words, and the constants that are sentences."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InstallError" and node.args:
            found.append(spoken(node.args[0]))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").isupper():
            text = spoken(node.value)
            found.append(text if text.endswith(".") and ": " in text else "")
    return [text for text in found if text]


TREES = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
SAID = [(name, sentence) for name, tree in TREES.items() for sentence in sentences(tree)]


@pytest.mark.parametrize("key", KEYS)
def test_what_is_listed_is_said(key: str) -> None:
    every = [text for tree in TREES.values() for text in strings(tree)]
    for part in key.split(" ... "):
        assert any(part in text for text in every), part


@pytest.mark.parametrize(("name", "sentence"), SAID, ids=[f"{name}-{number}" for number, (name, _) in enumerate(SAID)])
def test_what_is_said_is_listed(name: str, sentence: str) -> None:
    assert any(all(part in sentence for part in key.split(" ... ")) for key in KEYS), f"{name}: {sentence}"


def test_there_are_sentences() -> None:
    assert len(SAID) > 20
    assert len(KEYS) > 20
