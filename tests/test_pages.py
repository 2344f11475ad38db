"""The pages for people: what they link to exists, and what they say of the command line is what it takes."""

import ast
import re
from pathlib import Path

import pytest

from vggt_addon.__main__ import _parser

REPOSITORY = Path(__file__).parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("examples/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_option_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    told: set[str] = set()
    others = [f"weights {part}" for part in ("list", "download", "convert", "path")]
    parts = ("status", "offer", "install", "verify", "repair", "remove", "diagnose", "archive")
    others += [f"runtime {part}" for part in parts]
    for command in ("import", "reconstruct", "plan", "add", "build", "export", *others):
        with pytest.raises(SystemExit):
            _parser().parse_args([*command.split(), "--help"])
        told |= set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    page = (REPOSITORY / "docs" / "command-line.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    assert rows == told - {"--help", "--output", "--format"}  # these three are in the commands' own lines


def _sentences_of_photos() -> set[str]:
    """What each sentence that photos/ writes begins with: the words between a name and whatever comes in between."""
    found = set()
    for module in sorted((REPOSITORY / "vggt_addon" / "photos").glob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                match = re.match("(?:\0 (?=[a-z]{2})|(?=[A-Z][a-z]+ ))([A-Za-z' ]+)", "".join(map(str, texts)))
                found |= {match[1].strip()} if match else set()
    return found - {"mm"}  # of a lens


def test_every_sentence_about_a_photo_is_explained() -> None:
    sentences = _sentences_of_photos()
    assert {"is empty", "is a camera's raw file", "seems cut", "These masks belong to no photo"} <= sentences
    page = (REPOSITORY / "docs" / "photos.md").read_text(encoding="utf-8")
    table = page[page.index("## What the messages mean") :]
    rows = "\n".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    assert [sentence for sentence in sorted(sentences) if sentence not in rows] == []
