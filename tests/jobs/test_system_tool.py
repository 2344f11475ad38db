"""Windows' own programs, by their whole paths on any system."""

from pathlib import Path

import pytest

from vggt_addon.jobs import process_tree
from vggt_addon.jobs.system_tool import kill_command, windows_tool


def test_a_program_is_named_by_its_whole_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    tool = str(tmp_path / "System32" / "taskkill.exe")
    assert kill_command(42) == [tool, "/F", "/T", "/PID", "42"]


@pytest.mark.parametrize("value", [None, ""])
def test_where_windows_is_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("SYSTEMROOT", raising=False)
    if value is not None:
        monkeypatch.setenv("SYSTEMROOT", value)
    assert str(windows_tool("x.exe")).startswith("C:\\Windows")


def test_no_program_is_started_by_its_name_alone() -> None:
    source = Path(process_tree.__file__).read_text(encoding="utf-8")
    assert '["taskkill"' not in source
    assert "kill_command(self._process.pid)" in source
