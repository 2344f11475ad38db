"""Enabled and disabled without a trace."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

import bpy
import pytest

from vggt_addon import registration
from vggt_addon.ui import ids, menus, properties

REPOSITORY = Path(__file__).parents[2]
OPERATORS = [
    name for key, name in vars(ids).items() if key.isupper() and isinstance(name, str) and name.startswith("vggt.")
]


def _traces() -> dict[str, object]:
    """What an extension leaves its mark on."""
    kinds = (bpy.types.Panel, bpy.types.Operator, bpy.types.UIList, bpy.types.FileHandler, bpy.types.PropertyGroup)
    return {
        "classes": {kind.__name__ for base in kinds for kind in base.__subclasses__() if kind.is_registered},
        "scene": hasattr(bpy.types.Scene, "vggt"),
        "handlers": {
            name: len(found)
            for name in dir(bpy.app.handlers)
            if isinstance(found := getattr(bpy.app.handlers, name), list)
        },
        "menu": len(bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()),
        "threads": threading.active_count(),
        "log": len(logging.getLogger("vggt_addon").handlers),
    }


def test_enabling_and_disabling_leaves_no_trace(user_files: Path) -> None:
    before = _traces()
    for _ in range(5):
        registration.register()
        assert hasattr(bpy.types.Scene, "vggt")
        assert menus._draw_import in bpy.types.TOPBAR_MT_file_import._dyn_ui_initialize()
        registration.unregister()
    assert _traces() == before


def test_what_fails_half_way_leaves_no_trace(user_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vggt_addon.ui.panels import solve

    before = _traces()
    monkeypatch.setattr(solve, "CLASSES", (*solve.CLASSES, type("NoClassOfBlenders", (), {})))
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        registration.register()
    monkeypatch.undo()
    assert _traces() == before


@pytest.mark.usefixtures("enabled")
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_there_and_says_what_it_does(name: str) -> None:
    room, operator = name.split(".")
    kind = getattr(getattr(bpy.ops, room), operator).get_rna_type()
    assert len(kind.description) > 10
    assert kind.name[0].isupper()
    for prop in kind.properties:
        if prop.identifier not in (
            "rna_type",
            "directory",
            "files",
            "filter_glob",
            "filter_image",
            "filter_movie",
            "filter_folder",
        ):
            assert prop.description, prop.identifier


@pytest.mark.usefixtures("enabled")
def test_every_setting_has_a_tooltip() -> None:
    for kind in (bpy.types.Scene.bl_rna.properties["vggt"].fixed_type, properties.VGGT_PG_photo.bl_rna):
        for prop in kind.properties:
            if prop.identifier not in ("rna_type", "name", "photos"):
                assert len(prop.description) > 5, prop.identifier


def test_enabling_imports_nothing_foreign_and_no_numpy() -> None:
    program = (
        "import sys, bpy, bl_ui\n"
        "before = set(sys.modules)\n"
        "from vggt_addon import registration\n"
        "registration.register()\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "registration.unregister()\n"
        "print('NEW', sorted(new - set(sys.stdlib_module_names)))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert "NEW ['bpy', 'vggt_addon']" in told.stdout, told.stdout + told.stderr
