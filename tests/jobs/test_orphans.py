"""Whoever is killed, nobody is left behind: Blender, its worker, and the camera solver that the worker has started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.jobs.board import Update
from vggt_addon.jobs.protocol import Hello, Run
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus
from vggt_addon.settings import RunSettings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")

REPOSITORY = Path(__file__).parents[2]
Until = Callable[..., list[Update]]
Members = Callable[[int], list[int]]

BLENDER = """
import sys, time
from pathlib import Path
from vggt_addon.jobs.launch import worker_launch
from vggt_addon.jobs.protocol import Hello, Run
from vggt_addon.jobs.runner import JobRunner
from vggt_addon.settings import EngineSettings, RunSettings
folder, log, *photos = sys.argv[1:]
runner = JobRunner(worker_launch(Path(sys.executable), 60.0, Path(log)))
settings = RunSettings(engine="sfm", engine_settings=EngineSettings(depth_size=128, threads=2))
runner.submit(Run("run", folder, tuple(photos), settings))
while runner.hello is None:
    time.sleep(0.01)
print(runner.hello.process, flush=True)
time.sleep(60)
"""


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _said_hello(news: Update) -> bool:
    return isinstance(news, Hello)


def test_a_killed_worker_takes_its_solver_along(
    real_runner: JobRunner,
    until: Until,
    photos: tuple[str, ...],
    settings: RunSettings,
    folder: str,
    group_members: Members,
) -> None:
    real_runner.submit(Run("run", folder, photos, settings))
    (worker,) = [news.process for news in until(real_runner, _said_hello) if isinstance(news, Hello)]
    # Watched, not asked for at a stage: news come late where the machine is busy, and the solver may have ended.
    assert _within(20, lambda: len(group_members(worker)) == 2), "the solver is not in its worker's group"
    os.kill(worker, signal.SIGKILL)
    told = until(real_runner)
    (end,) = [news for news in told if isinstance(news, JobStatus) and news.state.ended]
    assert end.state is JobState.FAILED and "lack of memory" in end.sentence
    assert group_members(worker) == []
    assert not list(Path(folder).iterdir())


def test_a_solver_whose_worker_is_killed_ends_by_itself(
    photos: tuple[str, ...], folder: str, tmp_path: Path, group_members: Members
) -> None:
    """Nobody is there who could kill the group: Blender is stopped, so that it does nothing."""
    blender = _start_blender(photos, folder, tmp_path)
    try:
        worker = _worker_of(blender)
        assert _within(10, lambda: len(group_members(worker)) == 2)
        blender.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        assert _within(2.0, lambda: group_members(worker) == [])
    finally:
        _end(blender)


@pytest.mark.parametrize("wait_for", [1, 2], ids=["starting", "solving"])
def test_a_killed_blender_takes_all_along(
    wait_for: int, photos: tuple[str, ...], folder: str, tmp_path: Path, group_members: Members
) -> None:
    blender = _start_blender(photos, folder, tmp_path)
    try:
        worker = _worker_of(blender)
        assert _within(10, lambda: len(group_members(worker)) >= wait_for)
        blender.kill()
        assert _within(2.0, lambda: group_members(worker) == [])
        assert not list(Path(folder).iterdir()), "the worker cleans up before it leaves"
    finally:
        _end(blender)


def _start_blender(photos: tuple[str, ...], folder: str, tmp_path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BLENDER, folder, str(tmp_path / "log"), *photos]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def _worker_of(blender: "subprocess.Popen[str]") -> int:
    assert blender.stdout is not None
    return int(blender.stdout.readline())


def _end(blender: "subprocess.Popen[str]") -> None:
    blender.kill()
    blender.wait()
    assert blender.stdout is not None
    blender.stdout.close()
