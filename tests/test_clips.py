"""A clip through the pipeline, the command line and both engines, and beside Blender in one process."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vggt_addon.__main__ import main
from vggt_addon.engines.base import EnginePlan
from vggt_addon.photos.photo import Photo
from vggt_addon.photos.read import decode
from vggt_addon.pipeline import plan, reconstruct
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import EngineSettings, RunSettings

REPOSITORY = Path(__file__).parent.parent
SETTINGS = RunSettings(engine="sfm", frames_per_clip=8)


@pytest.fixture(scope="module")
def clips(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("photos/clips.py")


@pytest.fixture(scope="module")
def yard(clips: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's photos, one after another, as a clip of two frames a second."""
    path: Path = clips.write_clip(
        tmp_path_factory.mktemp("clip") / "Höf 🎥 1.mp4",
        clips.courtyard(10),
        time_base=Fraction(1, 2),
        rate=Fraction(2),
    )
    return path


class Recorder:
    """An engine that says what it was asked."""

    name = "sfm"

    def __init__(self) -> None:
        self.photos: list[Photo] = []
        self.reference = ""

    def plan(self, photos: Any, settings: EngineSettings, cancel: Any) -> EnginePlan:
        self.photos, self.reference = list(photos), settings.reference
        return EnginePlan("made", 1.0, 1, 2, True)

    def reconstruct(self, photos: Any, workspace: Path, settings: EngineSettings, *more: Any) -> Reconstruction:
        self.photos, self.reference = list(photos), settings.reference
        return Reconstruction((), "sfm", warnings=("the engine's",), report={"own": 1})


def _with_reference(name: str) -> RunSettings:
    return dataclasses.replace(SETTINGS, engine_settings=EngineSettings(reference=name))


def test_a_clip_is_planned_and_run_by_its_frames(clips: ModuleType, yard: Path, tmp_path: Path) -> None:
    engine = Recorder()
    assert plan([yard], SETTINGS, create=lambda name: engine).photos == len(engine.photos) == 8
    still = clips.write_clip(tmp_path / "still.mp4", clips.walk(1) * 9)
    (tmp_path / "work").mkdir()
    result = reconstruct([still, yard], tmp_path / "work", SETTINGS, create=lambda name: engine)
    assert {clip["name"] for clip in result.report["clips"]} == {"still.mp4", yard.name} and result.report["own"] == 1
    assert "still.mp4 hardly moves" in result.warnings[0] and result.warnings[1] == "the engine's"
    assert {photo.original for photo in engine.photos} == {still, yard}
    assert all(photo.path.is_relative_to(tmp_path / "work") for photo in engine.photos)


def test_a_clip_that_is_the_reference_stands_for_its_first_frame(yard: Path, tmp_path: Path) -> None:
    engine = Recorder()
    reconstruct([yard], tmp_path, _with_reference(yard.name), create=lambda name: engine)
    first, second, *_ = (photo.name for photo in engine.photos)
    assert engine.reference == first
    plan([yard], _with_reference(second), create=lambda name: engine)
    assert engine.reference == "", "a plan does not know the frames' names"
    plan([yard], _with_reference(yard.name), create=lambda name: engine)
    assert engine.reference == engine.photos[0].name


def test_the_embedded_engine_places_the_frames_of_a_clip(
    yard: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """On the command line, and the capture is read back."""
    output = tmp_path / "capture"
    arguments = [str(yard), "--engine", "sfm", "--frames", "10", "--depth-size", "96", "--points", "2000", "--json"]
    assert main(["reconstruct", *arguments, "-o", str(output)]) == 0
    result = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert result["event"] == "result" and result["photos_placed"] == 10
    capture = Reconstruction.load(output)
    assert {view.original for view in capture.views} == {yard}
    assert [view.identity.split("@")[1] for view in capture.views] == [f"{number / 2:.3f}" for number in range(10)]
    assert [view.clip_time for view in capture.views] == [number / 2 for number in range(10)]
    assert all(view.photo.parent == output / "photos" and view.photo.is_file() for view in capture.views)
    assert len({view.intrinsics.tobytes() for view in capture.views}) == 1, "one clip, one lens"
    (clip,) = capture.report["clips"]
    assert clip["name"] == yard.name and clip["frames_used"] == 10
    assert main(["plan", *arguments]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["photos"] == 10


@pytest.mark.skipif("LONG" not in os.environ, reason="takes minutes: make test-long")
@pytest.mark.parametrize(("frames", "chosen", "placed"), [(10, 10, 8), (32, 29, 29)])
def test_the_walk_is_placed_or_named(
    frames: int, chosen: int, placed: int, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """The one real clip at hand: 29 frames a step apart along a street. Of every third one, some overlap too little."""
    walk = shared("datasets/lund_walk/lund_walk.mp4")
    settings = RunSettings("sfm", EngineSettings(depth_size=96), point_budget=5000, frames_per_clip=frames)
    result = reconstruct([walk], tmp_path, settings)
    names = [view.name for view in result.views] + [photo.name for photo in result.left_out]
    assert len(names) == len(set(names)) == chosen and len(result.views) >= placed
    assert all(photo.reason.endswith(".") for photo in result.left_out)
    assert [view.clip_time for view in result.views] == sorted(view.clip_time or 0.0 for view in result.views)
    print(f"{len(result.views)} of {chosen} placed, {result.report['reprojection_error']:.2f} px")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_vggt_places_the_frames_of_a_clip(yard: Path, tmp_path: Path) -> None:
    """The reduced network with weights of our own: cameras mean nothing, but all else is as in a user's run."""
    import torch

    from tests.engines.networks import weights

    torch.save(dict(weights("vggt")), tmp_path / "recipe.pt")
    store = ["--weights-folder", str(tmp_path / "store")]

    def reduced(*arguments: str) -> None:
        python = [sys.executable, str(REPOSITORY / "tests" / "ui" / "reduced_python.py"), "-m", "vggt_addon"]
        told = subprocess.run(
            [*python, *arguments, *store], capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY
        )
        assert told.returncode == 0, told.stdout + told.stderr

    reduced("weights", "convert", str(tmp_path / "recipe.pt"), "--as", "vggt-1b")
    how = ["--engine", "vggt", "--device", "cpu", "--precision", "float32", "--input-size", "140"]
    how += ["--frames", "4", "--points", "2000"]
    reduced("reconstruct", str(yard), "-o", str(tmp_path / "capture"), *how, "--reference", yard.name)
    capture = Reconstruction.load(tmp_path / "capture")
    assert capture.engine == "vggt" and len(capture.views) == 4
    for view in capture.views:
        assert view.original == yard and view.clip_time is not None
        assert view.photo.parent == tmp_path / "capture" / "photos" and view.photo.is_file()


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs Blender as a module")
def test_the_readers_library_and_blender_live_in_one_process(yard: Path, tmp_path: Path) -> None:
    """The command `import` loads PyAV, then OpenCV, then bpy, each with video libraries of its own."""
    program = (
        "import sys; from pathlib import Path\n"
        "from vggt_addon.photos.clip_reader import probe_clip\n"
        "from vggt_addon.photos.clip_frames import take_frames\n"
        "def frames(folder):\n"
        "    made = take_frames(probe_clip(Path(sys.argv[1])), 5, Path(sys.argv[2]) / folder)\n"
        "    return [photo.path.read_bytes() for photo in made.photos]\n"
        "first = frames('a')\n"
        "import cv2, bpy\n"
        "video = cv2.VideoCapture(sys.argv[1]); assert video.read()[0]\n"
        "clip = bpy.data.movieclips.load(sys.argv[1]); assert tuple(clip.size) == (400, 266), tuple(clip.size)\n"
        "assert frames('b') == first\n"
        "print(len(first))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(yard), str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY,
    )  # fmt: skip
    assert told.returncode == 0 and told.stdout.split()[-1] == "5", told.stdout + told.stderr


def test_frames_of_the_example_are_what_its_photos_show(clips: ModuleType, yard: Path, tmp_path: Path) -> None:
    engine = Recorder()
    reconstruct([yard], tmp_path, dataclasses.replace(SETTINGS, frames_per_clip=10), create=lambda name: engine)
    for photo, picture in zip(engine.photos, clips.courtyard(10), strict=True):
        assert np.abs(decode(photo).mean(axis=2) - picture.mean(axis=2)).mean() < 2
