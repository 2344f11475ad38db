"""Where Windows keeps its own programs, by their whole paths.

A name alone would be searched for in the current folder first, where a stranger's program may lie.
This module imports nothing beyond the standard library.
"""

import os
from pathlib import Path


def windows_tool(file: str) -> Path:
    """The program `file` ("taskkill.exe") of Windows itself, which need not be there."""
    return Path(os.environ.get("SYSTEMROOT") or r"C:\Windows") / "System32" / file


def kill_command(number: int) -> list[str]:
    """What ends the process `number` and all that it started, on Windows."""
    return [str(windows_tool("taskkill.exe")), "/F", "/T", "/PID", str(number)]
