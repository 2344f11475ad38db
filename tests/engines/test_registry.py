"""Engines are found by name, and only then imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from vggt_addon.engines import registry
from vggt_addon.errors import EngineError


def test_known_and_unknown() -> None:
    assert registry.create("sfm").name == "sfm"
    with pytest.raises(EngineError, match="no engine called magic"):
        registry.create("magic")


def test_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ENGINES, "other", (".not_there", "Engine"))
    with pytest.raises(EngineError, match="is not installed here"):
        registry.create("other")


def test_asking_for_names_loads_no_library() -> None:
    program = (
        "import sys, vggt_addon.engines.registry, vggt_addon.pipeline; "
        "sys.exit([name for name in ('PIL', 'cv2', 'pycolmap', 'torch', 'bpy') if name in sys.modules] or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
