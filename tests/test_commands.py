"""The command line as a script or an artist uses it, on three small example photos, through the real engine."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon.console import Console
from vggt_addon.reconstruction import Reconstruction

REPOSITORY = Path(__file__).parent.parent
COMMAND = [sys.executable, "-W", "ignore", "-m", "vggt_addon"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three neighbouring example photos at half size."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted((REPOSITORY / "examples" / "courtyard" / "photos").glob("*.jpg"))[3:6]:
        with Image.open(path) as image:
            exif = image.getexif()
            image.reduce(2).save(folder / path.name, quality=92, exif=exif)
    return folder


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def capture(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` reconstructed once for all tests of this file."""
    folder = tmp_path_factory.mktemp("capture") / "courtyard"
    run("reconstruct", photos, "-o", folder, "--depth-size", 192)
    return folder


def events(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_reconstruct_makes_a_capture_that_loads(capture: Path, photos: Path) -> None:
    loaded = Reconstruction.load(capture)
    assert [view.name for view in loaded.views] == sorted(path.name for path in photos.iterdir())
    assert loaded.engine == "sfm"
    assert loaded.points is not None and len(loaded.points.position) > 5000
    for view in loaded.views:
        assert view.depth is not None and (view.depth > 0).mean() > 0.3
        assert view.report.reprojection_error is not None and view.report.reprojection_error < 1
        assert view.photo.is_file()


def test_same_photos_same_seed_same_result(capture: Path, photos: Path, tmp_path: Path) -> None:
    run("reconstruct", photos, "-o", tmp_path / "again", "--depth-size", 192, "--threads", 1)
    first, second = Reconstruction.load(capture), Reconstruction.load(tmp_path / "again")
    for one, other in zip(first.views, second.views, strict=True):
        for name in ("intrinsics", "camera_from_world", "depth", "confidence", "color", "relief_depth"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert first.points is not None and second.points is not None
    assert np.array_equal(first.points.position, second.points.position)
    assert first.scene_from_world is not None and second.scene_from_world is not None
    assert np.array_equal(first.scene_from_world, second.scene_from_world)


def test_json_events_are_all_that_stdout_holds(photos: Path, tmp_path: Path) -> None:
    done = run("import", photos, "-o", tmp_path / "scene.blend", "--json", "--depth-size", 128)
    told = events(done.stdout)
    fractions = [event["fraction"] for event in told if event["event"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0  # type: ignore[type-var]
    assert len({event["stage"] for event in told if event["event"] == "progress"}) >= 5
    assert told[-1]["event"] == "result"
    assert (tmp_path / "scene.blend").is_file()
    assert Reconstruction.load(tmp_path / "scene.capture").views
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.blend", "scene.capture"]


def test_build_and_export_need_no_engine(capture: Path, tmp_path: Path) -> None:
    picture = tmp_path / "overlay.png"
    run("build", capture, "-o", tmp_path / "scene.blend", "--overlay", picture)
    assert (tmp_path / "scene.blend").is_file()
    with Image.open(picture) as image:
        assert image.width > 300
    run("export", capture, "--format", "ply", "-o", tmp_path / "points.ply")
    assert (tmp_path / "points.ply").read_bytes().startswith(b"ply\nformat binary_little_endian")
    run("export", capture, "--format", "cameras-json", "-o", tmp_path / "cameras.json")
    exported = json.loads((tmp_path / "cameras.json").read_text())
    assert [image["name"] for image in exported["images"]] == [view.name for view in Reconstruction.load(capture).views]


def test_existing_output_is_refused_before_any_work(capture: Path, photos: Path, tmp_path: Path) -> None:
    scene = tmp_path / "scene.blend"
    scene.write_bytes(b"precious")
    done = run("import", photos, "-o", scene, code=1)
    assert "already exists" in done.stderr and "--force" in done.stderr
    assert scene.read_bytes() == b"precious"
    scene.unlink()
    (tmp_path / "scene.capture").mkdir()
    assert "scene.capture already exists" in run("import", photos, "-o", scene, code=1).stderr
    (tmp_path / "a.ply").write_bytes(b"precious")
    run("export", capture, "--format", "ply", "-o", tmp_path / "a.ply", code=1)
    run("export", capture, "--format", "ply", "-o", tmp_path / "a.ply", "--force")
    assert (tmp_path / "a.ply").stat().st_size > 1000


def test_one_photo_is_a_sentence_and_a_log(photos: Path, tmp_path: Path) -> None:
    done = run("reconstruct", next(photos.iterdir()), "-o", tmp_path / "capture", code=1)
    assert "One photo is not enough" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "capture.log").is_file()
    assert not (tmp_path / "capture").exists()


def test_unreadable_photos_are_left_out_with_a_reason(photos: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in photos.iterdir():
        (mixed / path.name).write_bytes(path.read_bytes())
    (mixed / "broken.jpg").write_bytes(b"nothing")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)).save(mixed / "stranger.png")
    done = run("reconstruct", mixed, "-o", tmp_path / "capture", "--depth-size", 128)
    assert "broken.jpg was left out" in done.stderr and "stranger.png was left out" in done.stderr
    loaded = Reconstruction.load(tmp_path / "capture")
    assert len(loaded.views) == 3
    assert {photo.name for photo in loaded.left_out} == {"broken.jpg", "stranger.png"}


def test_wrong_names_are_sentences(photos: Path, tmp_path: Path) -> None:
    assert "should end in .blend" in run("import", photos, "-o", tmp_path / "scene", code=1).stderr
    assert "does not exist" in run("import", tmp_path / "nothing", "-o", tmp_path / "a.blend", code=1).stderr
    assert "is not a capture" in run("build", photos, "-o", tmp_path / "a.blend", code=1).stderr
    run("import", photos, code=2)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--seed", "-1"), ("--threads", "-2"), ("--points", "0"), ("--depth-size", "63"), ("--points", "many")],
)
def test_numbers_out_of_range_are_wrong_usage(tmp_path: Path, option: str, value: str) -> None:
    """A negative seed means to COLMAP that every run may differ."""
    done = run("reconstruct", tmp_path, "-o", tmp_path / "capture", f"{option}={value}", code=2)
    assert option in done.stderr and "whole number from" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("stage", ["Finding details", "Measuring depth", "Reliefs"])
def test_ctrl_c_leaves_nothing_half_written(photos: Path, tmp_path: Path, stage: str) -> None:
    """Also with something to lose: an older scene and capture under --force."""
    output = tmp_path / "scene.blend"
    output.write_bytes(b"older")
    older = tmp_path / "scene.capture"
    older.mkdir()
    (older / "reconstruction.json").write_text("{}")
    command = [*COMMAND, "import", str(photos), "-o", str(output), "--force", "--json", "--depth-size", "192"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen = str(json.loads(line).get("stage", ""))
        if seen.startswith(stage):
            os.kill(process.pid, signal.SIGINT)
            break
    asked = time.monotonic()
    rest = process.communicate(timeout=60)[0]
    assert seen.startswith(stage), f"the run never came to {stage}"
    assert process.returncode == 130
    assert time.monotonic() - asked < 10
    assert json.loads(rest.splitlines()[-1]) == {
        "event": "error",
        "message": "Cancelled. Nothing was left half-written.",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.blend", "scene.capture"]
    assert output.read_bytes() == b"older"
    assert (older / "reconstruction.json").read_text() == "{}"


def test_engines_libraries_stay_out_of_a_build(capture: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from vggt_addon.__main__ import main; "
        f"code = main(['build', {str(capture)!r}, '-o', {str(tmp_path / 'scene.blend')!r}]); "
        "sys.exit(code or [name for name in ('PIL', 'cv2', 'pycolmap', 'torch') if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Terminal(io.StringIO):
    """A stream that somebody looks at; tqdm shows nothing elsewhere."""

    def isatty(self) -> bool:
        return True


def test_progress_bar_shows_stage_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    with Console(as_json=False, verbose=False, log=None) as console:
        monkeypatch.setattr(sys, "stderr", terminal)
        console.progress("Measuring depth", 0.25)
        time.sleep(0.2)
        console.progress("Measuring depth", 0.5)
    text = terminal.getvalue()
    assert "Measuring depth" in text and "left" in text and "50%" in text
