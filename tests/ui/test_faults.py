"""Mishaps in the middle of a run, with real processes: Blender survives, the scene is untouched or complete."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest

from vggt_addon import registration
from vggt_addon.ui import building, controller

SESSION = Path(__file__).with_name("blender_session.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="looks for processes as POSIX shows them")


def alive(process: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(process: int) -> list[int]:
    """All that the process has started, and what that has."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [process]
    while todo:
        new = children.get(todo.pop(), [])
        found += new
        todo += new
    return found


def gone(processes: list[int], seconds: float = 5.0) -> bool:
    """Whether all of them are gone in time."""
    end = time.monotonic() + seconds
    while any(alive(process) for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_disabled_in_the_middle_no_process_is_left(
    listed: list[Path], user_files: Path, tick_until: Callable[..., None]
) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().fraction > 0.15)
    worker = controller.session().runner.hello.process
    processes = [worker, *descendants(worker)]
    began = time.monotonic()
    registration.unregister()
    try:
        assert time.monotonic() - began < 2.5
        assert gone(processes, seconds=0.5)
        assert not bpy.context.scene.objects
        assert not any((user_files / "jobs").iterdir())
    finally:
        registration.register()
    assert len(bpy.context.scene.vggt.photos) == 3
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    assert len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"]) == 3


def test_a_worker_killed_by_the_system_costs_one_message(listed: list[Path], tick_until: Callable[..., None]) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: controller.stage().fraction > 0.15)
    os.kill(controller.session().runner.hello.process, signal.SIGKILL)
    tick_until(lambda: not controller.busy(), seconds=5)
    assert "memory" in controller.session().message.sentence
    assert not bpy.context.scene.objects
    bpy.ops.vggt.reconstruct()
    assert controller.session().message is None
    tick_until(lambda: not controller.busy())
    assert len([thing for thing in bpy.context.scene.objects if thing.type == "CAMERA"]) == 3


def test_a_result_that_vanishes_is_a_sentence(
    listed: list[Path], tick_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_homes = building.homes_of

    def vanish(name: str) -> Callable[[], list[Path]]:
        """Somebody clears this user's files at the very moment that the worker is done."""
        shutil.rmtree(controller.session().run.folder)
        return find_homes(name)

    monkeypatch.setattr(building, "homes_of", vanish)
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    assert controller.session().message.kind == "ERROR"
    assert len(controller.session().message.sentence) > 20
    assert not bpy.context.scene.objects


@pytest.fixture
def small_disk(user_files: Path) -> Iterator[Path]:
    """This user's files on a disk of one megabyte."""
    (user_files / "jobs").mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(user_files / "jobs")]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can be made by root only, where mounting is allowed")
    yield user_files / "jobs"
    subprocess.run(["umount", "-l", str(user_files / "jobs")], check=True)


def test_a_full_disk_is_a_sentence(small_disk: Path, listed: list[Path], tick_until: Callable[..., None]) -> None:
    bpy.ops.vggt.reconstruct()
    tick_until(lambda: not controller.busy())
    message = controller.session().message
    assert message.kind == "ERROR"
    assert "space" in message.sentence or "full" in message.sentence, message
    assert not bpy.context.scene.objects
    tick_until(lambda: not any(small_disk.iterdir()))


def _blender(photos: list[Path], end: str, user: Path) -> "subprocess.Popen[str]":
    worker = os.environ.get("VGGT_ADDON_TEST_WORKER", "")  # see matrix.sh
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(user), "VGGT_ADDON_PYTHON": worker}
    command = [sys.executable, str(SESSION), f"{photos[0].parent}/", end]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def _told(blender: "subprocess.Popen[str]", wanted: Callable[[str], bool]) -> str:
    """The next of its lines that is wanted; Blender prints others between them."""
    heard = []
    for line in blender.stdout:
        if wanted(line.strip()):
            return line.strip()
        heard.append(line)
    raise AssertionError("".join(heard))


@pytest.mark.parametrize("end", ["quit", "kill"])
def test_when_blender_goes_in_the_middle_nothing_stays_behind(
    small_photos: list[Path], tmp_path: Path, end: str
) -> None:
    with _blender(small_photos, "quit" if end == "quit" else "finish", tmp_path) as blender:
        worker = int(_told(blender, str.isdigit))
        _told(blender, "running".__eq__)
        processes = [worker, *descendants(worker)]
        if end == "kill":
            blender.kill()
        else:
            assert blender.wait(timeout=20) == 0, blender.stdout.read()
        assert gone(processes)


def test_two_blenders_do_not_disturb_each_other(small_photos: list[Path], tmp_path: Path) -> None:
    both = [_blender(small_photos, "finish", tmp_path) for _ in range(2)]
    for blender in both:
        with blender:
            worker = int(_told(blender, str.isdigit))
            _told(blender, "running".__eq__)
            cameras, message = _told(blender, str.isdigit), _told(blender, lambda line: True)
            assert (cameras, message) == ("3", "None")
            assert blender.wait(timeout=20) == 0
            assert gone([worker])
