"""The pages for people: what they link to exists, and what they say of the command line is what it takes."""

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
