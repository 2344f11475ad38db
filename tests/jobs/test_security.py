"""The room of the jobs listens nowhere and executes nothing that it reads."""

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "vggt_addon" / "jobs"
FORBIDDEN_MODULES = {"socket", "socketserver", "ssl", "http", "asyncio", "multiprocessing", "xmlrpc", "urllib"}
FORBIDDEN_MODULES |= {"pickle", "marshal", "shelve", "dill", "code", "runpy", "imp", "importlib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_no_listener_and_nothing_executed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [(node.module or "").split(".")[0]]
        assert not FORBIDDEN_MODULES & set(names), (
            f"{path.name}:{node.lineno}" if hasattr(node, "lineno") else path.name
        )
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert called not in FORBIDDEN_CALLS, f"{path.name}:{node.lineno} calls {called}"
            for keyword in node.keywords:
                assert keyword.arg not in ("shell", "allow_pickle", "preexec_fn"), f"{path.name}:{node.lineno}"
