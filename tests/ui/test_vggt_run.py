"""VGGT through the panel's operators and a real worker: the reduced network, the recipe's weights, out of a store."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

torch = pytest.importorskip("torch")

from vggt_addon.reconstruction import Reconstruction  # noqa: E402 - they need torch
from vggt_addon.ui import controller, places  # noqa: E402

REDUCED = Path(__file__).with_name("reduced_python.py")


@pytest.fixture
def store(enabled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of this user that holds the recipe's weights, put there by the command that a user types."""
    from tests.engines.networks import weights

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{REDUCED}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(places.PYTHON_VARIABLE, str(python))
    torch.save(dict(weights("vggt")), tmp_path / "recipe.pt")
    command = [str(python), "-m", "vggt_addon", "weights", "convert", str(tmp_path / "recipe.pt"), "--as", "vggt-1b"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return tmp_path / "data"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
@pytest.mark.usefixtures("store")
def test_a_vggt_job_runs_like_any_other_and_stays_warm(
    small_photos: list[Path], user_files: Path, tick_until: Callable[..., None]
) -> None:
    files = [{"name": path.name} for path in small_photos]
    bpy.ops.vggt.drop_photos(directory=f"{small_photos[0].parent}/", files=files)
    properties = bpy.context.scene.vggt
    properties.engine, properties.device, properties.precision, properties.input_size = "vggt", "cpu", "float32", 140
    tick_until(lambda: controller.session().planned)
    assert controller.session().planned.engine == "vggt"
    assert controller.session().planned.fits
    (state,) = (engine for engine in controller.session().engines if engine.name == "vggt")
    assert state.licence
    process = controller.session().runner.hello.process
    for number in (1, 2):
        assert bpy.ops.vggt.reconstruct() == {"FINISHED"}
        tick_until(lambda: not controller.busy())
        assert controller.session().message is None
        cameras = [thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"]
        assert len(cameras) == number * len(small_photos)
    assert controller.session().runner.hello.process == process
    for folder in (user_files / "captures").iterdir():
        capture = Reconstruction.load(folder)
        assert capture.engine == "vggt"
        assert capture.weights["name"]
        assert capture.weights["licence"]
    assert "torch" not in vars(controller)
