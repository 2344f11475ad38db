"""Which Python runs the worker, and which libraries it is given."""

import sys
from pathlib import Path

import bpy
import pytest

from vggt_addon.ui import places


def test_a_blender_that_names_itself_is_not_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "blender"))
    assert places.blenders_python() == Path(sys.prefix, "bin", "python{}.{}".format(*sys.version_info[:2]))
    monkeypatch.setattr(sys, "executable", "")
    assert places.blenders_python().stem.startswith("python")


def test_the_python_of_blender_is_the_one_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(places.PYTHON_VARIABLE, raising=False)
    assert places.worker_python("") == Path(sys.executable)
    monkeypatch.setenv(places.PYTHON_VARIABLE, "/opt/other/python")
    assert places.worker_python("") == Path("/opt/other/python")
    assert places.worker_python("/chosen/python") == Path("/chosen/python")


def test_the_wheels_are_for_blenders_own_python_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "ADDON", "bl_ext.user_default.vggt_addon")
    (folder,) = places.worker_libraries(Path(sys.executable))
    assert folder.is_relative_to(bpy.utils.user_resource("EXTENSIONS"))
    assert folder.name == "site-packages" and ".local" in folder.parts
    assert places.worker_libraries(tmp_path / "python") == ()


def test_from_source_there_are_no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ADDON", "vggt_addon")
    assert places.worker_libraries(Path(sys.executable)) == ()
