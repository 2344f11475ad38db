"""A worker sees nothing that Blender, a shell or the current folder has for a Python of theirs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vggt_addon.jobs.launch import worker_launch
from vggt_addon.weights.store import VARIABLE, default_folder

REPOSITORY = Path(__file__).parents[2]


def test_variables_of_other_pythons_are_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONINSPECT", "PythonWarnings"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("VGGT_KEPT", "kept")
    launch = worker_launch(Path("python"), 5.0, tmp_path / "log", [tmp_path / "wheels"])
    theirs = {name: value for name, value in launch.environment.items() if name.upper().startswith("PYTHON")}
    assert theirs == {
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }
    assert launch.environment["VGGT_KEPT"] == "kept"
    assert launch.command[0] == "python" and launch.log == tmp_path / "log"
    assert launch.command[-2:] == ("--libraries", str(tmp_path / "wheels"))


def test_libraries_come_after_pythons_own(tmp_path: Path) -> None:
    """Another extension's numpy, in the folder that all share, is not taken; nor are its json or our own package."""
    for name in ("numpy", "json", "vggt_addon"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "pycolmap.py").write_text("")
    (tmp_path / "cv2.py").write_text("")
    (tmp_path / "PIL.py").write_text("")
    launch = worker_launch(Path(sys.executable), 0.01, tmp_path / "log", [tmp_path])
    done = subprocess.run(launch.command, env=launch.environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    hello = json.loads(done.stdout.splitlines()[0])
    assert [state["ready"] for state in hello["engines"] if state["name"] == "sfm"] == [True]


def test_a_module_in_the_current_folder_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "argparse.py").write_text("raise SystemExit('the wrong one')")
    launch = worker_launch(Path(sys.executable), 0.01, tmp_path / "log")
    done = subprocess.run(launch.command, env=launch.environment, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b'{"version": 1, "type": "hello"')


def test_the_workers_first_words_are_of_the_weights_in_the_folder_that_was_chosen(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    launch = worker_launch(Path(sys.executable), 0.01, tmp_path / "log", weights_folder=str(weights))
    assert launch.environment[VARIABLE] == str(weights) == str(default_folder(launch.environment))
    assert VARIABLE not in worker_launch(Path(sys.executable), 0.01, tmp_path / "log").environment


def test_the_log_holds_as_much_as_was_asked_for(tmp_path: Path) -> None:
    written = {}
    for level in ("INFO", "WARNING"):
        log = tmp_path / level
        launch = worker_launch(Path(sys.executable), 0.01, log, log_level=level)
        subprocess.run(launch.command, env=launch.environment, capture_output=True, timeout=60, check=True)
        written[level] = log.read_text()
    assert " INFO worker " in written["INFO"] and " INFO " not in written["WARNING"]


def test_it_starts_from_where_blender_unpacks_extensions(tmp_path: Path) -> None:
    """There the package has a long name; the worker knows it by its short one."""
    room = tmp_path / "bl_ext" / "user_default" / "vggt_addon"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "vggt_addon", room / "vggt_addon", ignore=ignored)
    for package in (room.parent.parent, room.parent, room):
        (package / "__init__.py").write_text("")
    program = (
        "import pathlib, subprocess, sys\n"
        "from bl_ext.user_default.vggt_addon.vggt_addon.jobs.launch import worker_launch\n"
        f"launch = worker_launch(pathlib.Path(sys.executable), 0.01, pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "done = subprocess.run(launch.command, env=launch.environment, capture_output=True, text=True)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'vggt_addon']\n"
        "sys.stdout.write(done.stdout)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert '"type": "hello"' in done.stdout, done.stderr + (tmp_path / "log").read_text()
    assert str(room / "vggt_addon") not in sys.path
