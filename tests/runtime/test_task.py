"""The installer as Blender has it: a process that is asked how it stands, cancelled, and killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vggt_addon.jobs.launch import Launch
from vggt_addon.jobs.status import JobState, JobStatus
from vggt_addon.progress import never, no_progress
from vggt_addon.runtime.layout import Layout
from vggt_addon.runtime.locked import load_lock
from vggt_addon.runtime.state import Condition, runtime_state
from vggt_addon.runtime.task import NOT_STARTED, STOPPED, RuntimeTask, runtime_launch
from vggt_addon.weights.file_lock import file_lock

posix = pytest.mark.skipif(os.name == "nt", reason="processes are listed by ps")


@pytest.fixture
def launch(folder: Path, locked: Path, tmp_path: Path) -> Callable[..., Launch]:
    """Of the process, by the Python that runs the tests."""

    def make(action: str = "install", **more: Any) -> Launch:
        values = {"online": True, "log": tmp_path / "log.txt", "lock": locked, **more}
        return runtime_launch(Path(sys.executable), folder, action, **values)

    return make


@pytest.fixture
def start() -> Iterator[Callable[[Launch], RuntimeTask]]:
    """Starts tasks, which are ended with the test."""
    tasks: list[RuntimeTask] = []

    def call(launch: Launch) -> RuntimeTask:
        tasks.append(RuntimeTask(launch))
        return tasks[-1]

    yield call
    for task in tasks:
        task.stop()


def end_of(task: RuntimeTask, seconds: float = 60.0) -> JobStatus:
    end = time.monotonic() + seconds
    while not task.status().state.ended:
        assert time.monotonic() < end, task.status()
        time.sleep(0.01)
    return task.status()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def processes_with(text: str) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if text in line and not line.startswith("Z")]


def condition(folder: Path, locked: Path) -> Condition:
    return runtime_state(folder, lock_id=load_lock(locked).id).condition


def test_from_nothing_to_ready_and_back(
    launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask], folder: Path, locked: Path
) -> None:
    task = start(launch())
    seen: list[tuple[str, float]] = []

    def look() -> bool:
        status = task.status()
        seen.append((status.stage, status.fraction))
        return status.state.ended

    until(look, 60.0)
    assert task.status().state is JobState.DONE, task.status()
    assert task.status().fraction == 1.0
    assert len({stage for stage, _ in seen}) > 2
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)
    assert condition(folder, locked) is Condition.READY
    assert end_of(start(launch("verify"))).state is JobState.DONE
    assert end_of(start(launch("remove"))).state is JobState.DONE
    assert not folder.exists()


def test_what_goes_wrong_is_said(launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask]) -> None:
    status = end_of(start(launch(online=False)))
    assert status.state is JobState.FAILED
    assert "Online access is off" in status.sentence


def test_a_python_that_is_not_there(folder: Path, start: Callable[[Launch], RuntimeTask], tmp_path: Path) -> None:
    launch = runtime_launch(tmp_path / "python", folder, "install", online=True, log=tmp_path / "log.txt")
    status = end_of(start(launch))
    assert (status.state, status.sentence) == (JobState.FAILED, NOT_STARTED)


def test_the_process_sees_nothing_of_blenders_python(
    launch: Callable[..., Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    environment = launch().environment
    assert "PYTHONHOME" not in environment
    assert environment["PYTHONPATH"] == str(Path(__file__).parents[2])


@posix
def test_a_cancel_ends_all_processes_and_the_download_goes_on(
    launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask], folder: Path, locked: Path, index: Any
) -> None:
    index.seconds_a_block = 0.02
    index.files = dict(sorted(index.files.items()))
    task = start(launch())
    part = Layout(folder).tools
    until(lambda: any(path.stat().st_size > 200_000 for path in part.glob("uv*.part")))
    asked = time.monotonic()
    task.cancel()
    assert end_of(task, 3.0).state is JobState.CANCELLED
    assert time.monotonic() - asked < 2.5
    assert not processes_with(str(folder))
    assert not Layout(folder).environments()
    begun = next(part.glob("uv*.part")).stat().st_size
    index.seconds_a_block = 0.0
    index.asked.clear()
    assert end_of(start(launch())).state is JobState.DONE
    assert next(asked for path, asked in index.asked if "uv-" in path) == f"bytes={begun}-"


@posix
def test_killed_at_random_moments_nothing_is_half_installed(
    launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask], folder: Path, locked: Path
) -> None:
    """A few here; `make test-runtime` kills twenty real ones."""
    assert end_of(start(launch())).state is JobState.DONE
    assert end_of(start(launch("remove"))).state is JobState.DONE
    moments = random.Random(0)
    for _ in range(4):
        task = start(launch())
        time.sleep(1.5 * moments.random())
        for number in _children():
            os.kill(number, signal.SIGKILL)
        status = end_of(task, 5.0)
        assert status.state in (JobState.FAILED, JobState.DONE)
        assert status.state is JobState.DONE or status.sentence == STOPPED
        until(lambda: not processes_with(str(folder)), 3.0)
        assert condition(folder, locked) in (Condition.NONE, Condition.READY)
    assert end_of(start(launch())).state is JobState.DONE
    assert condition(folder, locked) is Condition.READY
    assert len(Layout(folder).environments()) == 1


def _children() -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == os.getpid() and "runtime.process" in row[2]]


@posix
def test_it_leaves_when_blender_is_gone(launch: Callable[..., Launch], folder: Path, index: Any) -> None:
    index.seconds_a_block = 0.05
    made = launch()
    process = subprocess.Popen(
        made.command, env=dict(made.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None
    until(lambda: any(Layout(folder).tools.glob("uv*.part")))
    process.stdin.close()
    assert process.wait(4.0) == 0
    process.stdout.close()
    assert not processes_with(str(folder))


def test_two_blenders_at_once(
    launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask], folder: Path, locked: Path
) -> None:
    tasks = [start(launch()) for _ in range(2)]
    assert [end_of(task).state for task in tasks] == [JobState.DONE, JobState.DONE]
    assert len(Layout(folder).environments()) == 1
    assert condition(folder, locked) is Condition.READY


def test_nobody_waits_for_it(launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask]) -> None:
    """What the main thread calls returns at once, however the process does."""
    started = time.monotonic()
    task = start(launch())
    task.status()
    task.cancel()
    assert time.monotonic() - started < 0.5
    end_of(task, 3.0)


@posix
def test_a_removal_that_has_begun_goes_to_its_end(launch: Callable[..., Launch], folder: Path) -> None:
    """Also where nobody listens any more, in the middle of many files."""
    for number in range(40):
        (folder / "e1" / str(number)).mkdir(parents=True)
        for name in range(100):
            (folder / "e1" / str(number) / str(name)).write_text("")
    made = launch("remove")
    process = subprocess.Popen(
        made.command, env=dict(made.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None and process.stdout is not None
    until(lambda: not (folder / "e1" / "0").exists() or not (folder / "e1" / "39").exists())
    process.stdin.close()
    process.wait(30.0)
    process.stdout.close()
    assert not folder.exists()


def test_a_removal_is_cancelled_while_it_waits(launch: Callable[..., Launch], folder: Path, locked: Path) -> None:
    (folder / "e1").mkdir(parents=True)
    with file_lock(Layout(folder).lock, no_progress, never):
        task = RuntimeTask(launch("remove"), "remove")
        until(lambda: task.status().stage == "Waiting for another run")
        task.cancel()
        assert end_of(task, 3.0).state is JobState.CANCELLED
    assert (folder / "e1").exists()


@posix
def test_a_removal_that_fails_after_a_cancel_says_so(folder: Path, tmp_path: Path) -> None:
    """What it says last counts: something is left."""
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from vggt_addon.jobs.protocol import Failed, encode\n"
        "sys.stdin.buffer.readline(); time.sleep(0.3)\n"
        "sys.stdout.buffer.write(encode(Failed('runtime', 'Something is in use.', ''))); sys.stdout.flush()\n"
    )
    command = (sys.executable, "-c", program, str(Path(__file__).parents[2]))
    task = RuntimeTask(Launch(command, dict(os.environ), tmp_path / "log.txt"), "remove")
    task.cancel()
    status = end_of(task, 10.0)
    assert (status.state, status.sentence) == (JobState.FAILED, "Something is in use.")


@pytest.mark.parametrize(("level", "there"), [("INFO", True), ("WARNING", False)])
def test_the_log_has_what_was_asked_for(
    launch: Callable[..., Launch], start: Callable[[Launch], RuntimeTask], tmp_path: Path, level: str, there: bool
) -> None:
    made = launch("remove", log_level=level)
    assert end_of(start(made)).state is JobState.DONE
    assert ("remove of" in (tmp_path / "log.txt").read_text(encoding="utf-8")) is there
