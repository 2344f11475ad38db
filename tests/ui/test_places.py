"""Which Python runs the worker, and which libraries it is given."""

import sys
from pathlib import Path

import bpy
import pytest

from vggt_addon.errors import UserError
from vggt_addon.ui import places


def test_a_blender_that_names_itself_is_not_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "blender"))
    assert places.blenders_python() == Path(sys.prefix, "bin", "python{}.{}".format(*sys.version_info[:2]))
    monkeypatch.setattr(sys, "executable", "")
    assert places.blenders_python().stem.startswith("python")


def test_the_learned_engines_python_is_the_one_that_is_named_or_the_runtimes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "user_folder", lambda name, create=True: tmp_path / name)
    monkeypatch.delenv(places.PYTHON_VARIABLE, raising=False)
    assert places.learned_python("") is None, "Blender's own Python has none of their libraries"
    monkeypatch.setattr("vggt_addon.runtime.state.worker_python", lambda folder: folder / "e1/bin/python")
    assert places.learned_python("") == tmp_path / "runtime/e1/bin/python"
    monkeypatch.setenv(places.PYTHON_VARIABLE, "/opt/other/python")
    assert places.learned_python("") == Path("/opt/other/python")
    assert places.learned_python("/chosen/python") == Path("/chosen/python")


def test_where_nothing_of_this_user_can_be_kept_there_is_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, create: bool = True) -> Path:
        raise UserError("Nothing can be written.")

    monkeypatch.setattr(places, "user_folder", refuse)
    monkeypatch.delenv(places.PYTHON_VARIABLE, raising=False)
    assert places.learned_python("") is None


def test_the_wheels_are_for_blenders_own_python_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "ADDON", "bl_ext.user_default.vggt_addon")
    (folder,) = places.worker_libraries(Path(sys.executable))
    assert folder.is_relative_to(bpy.utils.user_resource("EXTENSIONS"))
    assert folder.name == "site-packages" and ".local" in folder.parts
    assert places.worker_libraries(tmp_path / "python") == ()


def test_from_source_there_are_no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ADDON", "vggt_addon")
    assert places.worker_libraries(Path(sys.executable)) == ()


@pytest.mark.parametrize("addon", ["vggt_addon", "bl_ext.user_default.vggt_addon"])
def test_a_folder_that_another_blender_makes_at_the_same_moment_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, addon: str
) -> None:
    monkeypatch.setattr(places, "ADDON", addon)
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="", create=False: str(tmp_path / path))
    monkeypatch.setattr(bpy.utils, "extension_path_user", lambda addon, path="", create=False: str(tmp_path / path))
    make = Path.mkdir

    def later(self: Path, *arguments: object, **how: object) -> None:
        make(self, parents=True, exist_ok=True)
        make(self, *arguments, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", later)
    folder = places.user_folder("jobs")
    assert folder.is_dir() and places.user_folder("jobs") == folder


def test_a_folder_that_is_a_file_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="", create=False: str(tmp_path / path))
    (tmp_path / "vggt_addon").mkdir()
    (tmp_path / "vggt_addon" / "jobs").write_text("in the way")
    with pytest.raises(UserError, match="make that folder writable"):
        places.user_folder("jobs")
