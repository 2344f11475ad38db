"""The command line as a script or an artist uses it, on three small example photos, through the real engine."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggt_addon import __main__, commands
from vggt_addon.console import Console
from vggt_addon.errors import Cancelled, UserError
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


def test_a_photo_is_added_and_nothing_else_moves(capture: Path, photos: Path, tmp_path: Path) -> None:
    with Image.open(REPOSITORY / "examples" / "courtyard" / "photos" / "courtyard_07.jpg") as image:
        image.reduce(2).save(tmp_path / "new.jpg", quality=92, exif=image.getexif())
    Image.new("RGB", (600, 400)).save(tmp_path / "black.png")
    given = [tmp_path / "new.jpg", tmp_path / "black.png", photos / "courtyard_04.jpg"]
    done = run("add", capture, *given, "-o", tmp_path / "more", "--json")
    result = events(done.stdout)[-1]
    assert result["photos_added"] == 1 and result["photos_placed"] == 4
    before, after = Reconstruction.load(capture), Reconstruction.load(tmp_path / "more")
    assert [view.name for view in after.views] == [*(view.name for view in before.views), "new.jpg"]
    assert [photo.name for photo in after.left_out] == ["black.png"]
    for one, other in zip(before.views, after.views, strict=False):
        for name in ("intrinsics", "camera_from_world", "depth", "confidence", "color", "relief_depth", "depth_edge"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(before.scene_from_world, after.scene_from_world)  # type: ignore[arg-type]
    assert after.capture_id == before.capture_id
    assert after.views[-1].depth is not None and (after.views[-1].depth > 0).mean() > 0.3
    again = run("add", tmp_path / "more", tmp_path / "new.jpg", "-o", tmp_path / "twice", code=1)
    assert "new.jpg is in the capture already." in again.stderr and not (tmp_path / "twice").exists()
    none = run("add", capture, tmp_path / "black.png", "-o", tmp_path / "none", code=1)
    assert "black.png shows nothing that the capture's photos show" in none.stderr
    taken = run("add", capture, tmp_path / "new.jpg", "-o", capture, "--force", code=1)
    assert "is in use" in taken.stderr


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
    whole = (REPOSITORY / "examples" / "courtyard" / "photos" / "courtyard_07.jpg").read_bytes()
    (mixed / "cut.jpg").write_bytes(whole[: len(whole) // 2])  # its header is fine: found out only when it is decoded
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (400, 600, 3), np.uint8)).save(mixed / "stranger.png")
    done = run("reconstruct", mixed, "-o", tmp_path / "capture", "--depth-size", 128)
    assert "broken.jpg was left out" in done.stderr and "stranger.png was left out" in done.stderr
    loaded = Reconstruction.load(tmp_path / "capture")
    assert len(loaded.views) == 3
    assert {photo.name for photo in loaded.left_out} == {"broken.jpg", "cut.jpg", "stranger.png"}


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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preview", "scene.blend"], "two outputs"),
        (["--preview", "photos/courtyard_05.jpg", "--force"], "courtyard_05.jpg is read from there"),
        (["--overlay", "photos", "--force"], "is read from there"),
        (["--overlay", "photos/courtyard_05.jpg/a.png"], "is a file, not a folder"),
    ],
)
def test_a_wrong_place_is_refused_before_any_work(
    photos: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "photos").mkdir()
    for path in photos.iterdir():
        (tmp_path / "photos" / path.name).write_bytes(path.read_bytes())
    placed = [argument if argument.startswith("--") else str(tmp_path / argument) for argument in arguments]
    done = run("import", tmp_path / "photos", "-o", tmp_path / "scene.blend", *placed, code=1)
    assert sentence in done.stderr and "Engine" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "scene.blend.log"]
    assert [path.read_bytes() for path in sorted((tmp_path / "photos").iterdir())] == [
        path.read_bytes() for path in sorted(photos.iterdir())
    ]


def test_an_export_replaces_no_other_exports_depth(capture: Path, tmp_path: Path) -> None:
    run("export", capture, "--format", "cameras-json", "-o", tmp_path / "a.json")
    done = run("export", capture, "--format", "cameras-json", "-o", tmp_path / "a.txt", code=1)
    assert "a_depth already exists" in done.stderr
    run("export", capture, "--format", "cameras-json", "-o", tmp_path / "a.json", "--force")


def test_a_picture_that_cannot_be_written_costs_no_scene(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(commands, "check_outputs", lambda *_, **__: None)  # as if it was there only afterwards
    scene, picture = tmp_path / "scene.blend", tmp_path / "file" / "overlay.png"
    assert __main__.main(["build", str(capture), "-o", str(scene), "--overlay", str(picture)]) == 1
    told = capfd.readouterr().err
    assert f"The scene itself is complete: {scene}." in told and f"{picture} could not be written" in told
    assert scene.is_file()


@pytest.mark.parametrize("log", [".", "file/log.txt"])
def test_a_log_that_cannot_be_written_is_a_warning(capture: Path, tmp_path: Path, log: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = run("export", capture, "--format", "ply", "-o", tmp_path / "a.ply", "--log", tmp_path / log)
    assert "The log could not be written to" in done.stderr and "Traceback" not in done.stderr
    left = Path(done.stderr.rsplit("it is in ", 1)[1].strip().removesuffix("."))
    assert "ply export" in left.read_text()
    shutil.rmtree(left.parent)


def test_a_full_disk_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(commands, "export", fill)
    assert __main__.main(["export", "a", "--format", "ply", "-o", str(tmp_path / "a.ply")]) == 1
    assert "The disk is full" in capfd.readouterr().err
    assert "No space left on device" in (tmp_path / "a.ply.log").read_text()


@pytest.fixture
def console() -> Iterator[Console]:
    with Console(as_json=False, verbose=False, log=None) as console:
        yield console


@pytest.mark.parametrize("failure", [Cancelled(), UserError("no"), KeyError("x"), KeyboardInterrupt()])
def test_a_failure_before_the_end_leaves_the_older_capture(
    capture: Path, tmp_path: Path, console: Console, failure: BaseException
) -> None:
    made = Reconstruction.load(capture)
    folder = made.replace(engine="older").save(tmp_path / "capture")
    with pytest.raises(type(failure)), commands._saved_aside(made, folder, console) as aside:
        assert Reconstruction.load(aside).engine == "sfm" and Reconstruction.load(folder).engine == "older"
        raise failure
    with (
        pytest.raises(type(failure)),
        commands._saved_aside(made, folder, console) as aside,
        commands._taking_its_name(aside, folder, force=True),
    ):
        assert Reconstruction.load(folder).engine == "sfm"
        raise failure
    assert Reconstruction.load(folder).engine == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]


def test_without_an_older_capture_the_new_one_is_kept_unless_cancelled(
    capture: Path, tmp_path: Path, console: Console
) -> None:
    made, folder = Reconstruction.load(capture), tmp_path / "capture"
    with pytest.raises(Cancelled), commands._saved_aside(made, folder, console):
        raise Cancelled
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError), commands._saved_aside(made, folder, console):
        raise UserError("no")
    assert Reconstruction.load(folder).engine == "sfm"
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]


def test_what_another_run_made_meanwhile_is_left_alone(capture: Path, tmp_path: Path, console: Console) -> None:
    made, folder = Reconstruction.load(capture), tmp_path / "capture"
    with pytest.raises(UserError, match="another run"), commands._saved_aside(made, folder, console) as aside:
        made.replace(engine="other run").save(folder)
        with commands._taking_its_name(aside, folder, force=False):
            raise AssertionError("not reached")
    assert Reconstruction.load(folder).engine == "other run"
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]


def test_a_scene_that_replaces_an_older_one_names_its_pictures_where_they_are(photos: Path, tmp_path: Path) -> None:
    """The pictures lie in the capture, which takes its name only when the scene is complete."""
    scene = tmp_path / "scene.blend"
    for options in ((), ("--force",)):
        run("import", photos, "-o", scene, "--depth-size", 96, "--texture-size", 200, *options)
        told = run_blender(scene)
        assert len(told) == 3 and all(path.startswith("//scene.capture/photos/") for path in told)
        assert all((tmp_path / path.removeprefix("//")).is_file() for path in told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.blend", "scene.capture"]


def run_blender(scene: Path) -> list[str]:
    """The paths of the pictures in a .blend."""
    program = (
        "import bpy, json, sys; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]); "
        "print('#', json.dumps(sorted(image.filepath for image in bpy.data.images if image.source == 'FILE')))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(scene)], capture_output=True, text=True, timeout=120)
    line = next(line for line in done.stdout.splitlines() if line.startswith("# "))
    paths: list[str] = json.loads(line[2:])
    return paths


def test_plan_says_what_a_run_would_take_and_makes_nothing(photos: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = run("plan", photos, "--engine", "sfm", "--json", "--depth-size", 192)
    note, result = events(done.stdout)
    assert note["message"] == "Engine: sfm (as asked for)."
    assert str(result["message"]).startswith("3 photos: about 0.")
    figures = ("event", "message", "engine", "photos", "seconds", "memory", "memory_free", "fits")
    assert tuple(result) == figures
    assert result["engine"] == "sfm" and result["photos"] == 3 and result["fits"] is True
    assert not done.stderr and sorted(tmp_path.iterdir()) == before
    larger = events(run("plan", photos, "--engine", "sfm", "--json", "--depth-size", 1024).stdout)[-1]
    assert larger["seconds"] > result["seconds"]  # type: ignore[operator]


def test_plan_warns_of_weights_that_are_not_there(photos: Path, tmp_path: Path) -> None:
    done = run("plan", photos, "--engine", "vggt", "--weights-folder", tmp_path / "none", "--device", "cpu")
    assert "Its weights are not here" in done.stderr and "weights download vggt-1b" in done.stderr
    assert "3 photos: about 4.8 GB of " in done.stdout or "3 photos need" in done.stdout
    assert not list(tmp_path.iterdir())
