"""Cancelling and stopping have an end, whatever the worker does, and leave no process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.jobs.board import Update
from vggt_addon.jobs.launch import Launch
from vggt_addon.jobs.protocol import Hello, Plan, Run
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus
from vggt_addon.settings import RunSettings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX process groups")

Scripted = Callable[..., Launch]
Make = Callable[[Launch], JobRunner]
Until = Callable[..., list[Update]]
Ends = Callable[[list[Update]], list[JobStatus]]
Members = Callable[[int], list[int]]
REPOSITORY = Path(__file__).parents[2]

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
hello()
asked = hear()
child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
pathlib.Path(asked["folder"], "work").mkdir()
say("progress", job=asked["job"], stage="Working", fraction=0.1)
while True:
    say("heartbeat")
    time.sleep(0.2)
"""
POLITE = """
hello()
while True:
    asked = hear()
    if asked["type"] == "run":
        say("progress", job=asked["job"], stage="Working", fraction=0.1)
    elif asked["type"] == "cancel":
        say("cancelled", job=asked["job"])
    elif asked["type"] == "plan":
        say("done", job=asked["job"], result="")
    else:
        sys.exit(0)
"""


def _run(folder: str) -> Run:
    return Run("run", folder, ("/photos",), RunSettings())


def _plan() -> Plan:
    return Plan("plan", ("/photos",), RunSettings())


def _working(news: Update) -> bool:
    return isinstance(news, JobStatus) and news.stage == "Working"


def _hello(told: list[Update]) -> Hello:
    (hello,) = [news for news in told if isinstance(news, Hello)]
    return hello


def test_a_polite_worker_stays_after_a_cancel(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    made = runner(scripted(POLITE))
    made.submit(_run(folder))
    process = _hello(until(made, _working)).process
    started = time.monotonic()
    made.cancel("run")
    told = until(made)
    assert time.monotonic() - started < 0.5
    states = [news.state for news in told if isinstance(news, JobStatus)]
    assert states == [JobState.CANCELLING, JobState.CANCELLED]
    made.submit(_plan())
    assert ends(until(made))[0].state is JobState.DONE
    assert made.hello is not None and made.hello.process == process


def test_a_stubborn_worker_is_killed_with_its_child(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, group_members: Members
) -> None:
    made = runner(scripted(STUBBORN))
    made.submit(_run(folder))
    process = _hello(until(made, _working)).process
    assert len(group_members(process)) == 2
    started = time.monotonic()
    made.cancel("run")
    made.cancel("run")
    (end,) = ends(until(made))
    assert 2.0 <= time.monotonic() - started < 2.5
    assert end.state is JobState.CANCELLED and end.sentence == ""
    assert group_members(process) == []
    assert not list(Path(folder).iterdir())
    made.submit(_plan())
    assert ends(until(made))[0].state is JobState.DONE


def test_a_worker_that_dies_of_a_cancel_is_a_cancel(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    program = 'hello()\nasked = hear()\nsay("progress", job="run", stage="Working", fraction=0.1)\nhear()\nos.abort()'
    made = runner(scripted(program))
    made.submit(_run(folder))
    until(made, _working)
    made.cancel("run")
    (end,) = ends(until(made))
    assert end.state is JobState.CANCELLED


@pytest.mark.parametrize("answer", ['"done", result="capture"', '"failed", sentence="No.", detail=""'])
def test_what_comes_after_a_cancel_does_not_count(
    answer: str, scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    program = (
        'hello()\nasked = hear()\nsay("progress", job="run", stage="Working", fraction=0.1)\nhear()\n'
        f'pathlib.Path(asked["folder"], "capture").mkdir()\nsay(job="run", type={answer})\nserve()'
    )
    made = runner(scripted(program))
    made.submit(_run(folder))
    until(made, _working)
    made.cancel("run")
    (end,) = ends(until(made))
    assert end.state is JobState.CANCELLED and end.result is None
    assert not list(Path(folder).iterdir())
    assert made.alive


def test_a_job_that_waits_is_cancelled_at_once(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    made = runner(scripted(POLITE))
    made.submit(_run(folder))
    made.submit(_plan())
    until(made, _working)
    made.cancel("plan")
    assert [(end.job, end.state) for end in ends(made.updates())] == [("plan", JobState.CANCELLED)]
    made.cancel("run")
    assert [(end.job, end.state) for end in ends(until(made))] == [("run", JobState.CANCELLED)]


def test_a_job_whose_worker_is_starting_is_cancelled_at_once(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    made = runner(scripted("time.sleep(1.5)\nhello()\nserve()"))
    made.submit(_run(folder))
    time.sleep(0.2)
    started = time.monotonic()
    made.cancel("run")
    (end,) = ends(until(made))
    assert end.state is JobState.CANCELLED and time.monotonic() - started < 0.5
    made.submit(_plan())
    assert ends(until(made))[0].state is JobState.DONE


@pytest.mark.parametrize("program", [POLITE, STUBBORN, "time.sleep(60)"], ids=["polite", "stubborn", "starting"])
def test_stop_leaves_nothing(
    program: str,
    scripted: Scripted,
    runner: Make,
    until: Until,
    ends: Ends,
    folder: str,
    tmp_path: Path,
    group_members: Members,
) -> None:
    pid = tmp_path / "pid"
    made = runner(scripted(f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n{program}"))
    made.submit(_run(folder))
    made.submit(_plan())
    if "hello" in program:
        until(made, _working)
    else:
        while not pid.exists() or not pid.read_text():
            time.sleep(0.01)
    started = time.monotonic()
    made.stop()
    assert time.monotonic() - started < 2.0
    assert not made.alive and not made.busy and made.hello is None
    assert group_members(int(pid.read_text())) == []
    assert not list(Path(folder).iterdir())
    assert {(end.job, end.state) for end in ends(made.updates())} == {
        ("run", JobState.CANCELLED),
        ("plan", JobState.CANCELLED),
    }
    made.stop()
    assert made.updates() == []
    made.submit(_plan())
    assert ends(until(made))[0].state is JobState.DONE


def test_an_idle_worker_is_stopped_quickly(
    scripted: Scripted, runner: Make, until: Until, folder: str, group_members: Members
) -> None:
    made = runner(scripted("hello()\nserve()"))
    made.submit(_plan())
    process = _hello(until(made)).process
    started = time.monotonic()
    made.stop()
    assert time.monotonic() - started < 0.5
    assert group_members(process) == []


BLENDER = """
import atexit, sys, time
from pathlib import Path
from vggt_addon.jobs.launch import Launch
from vggt_addon.jobs.protocol import Hello, Run
from vggt_addon.jobs.runner import JobRunner, JobStatus
from vggt_addon.settings import RunSettings
runner = JobRunner(Launch((sys.executable, "-S", "-c", Path(sys.argv[1]).read_text()), {"PATH": sys.argv[3]}))
atexit.register(runner.stop)
runner.submit(Run("run", sys.argv[2], ("/photos",), RunSettings()))
told = []
while not [news for news in told if isinstance(news, JobStatus) and news.stage == "Working"]:
    told += runner.updates()
    time.sleep(0.01)
print(runner.hello.process, flush=True)
if sys.argv[4] == "stays":
    time.sleep(60)
"""


def test_stop_at_exit(scripted: Scripted, folder: str, tmp_path: Path, group_members: Members) -> None:
    program = tmp_path / "worker.py"
    program.write_text(scripted(STUBBORN).command[-1])
    command = [sys.executable, "-c", BLENDER, str(program), folder, os.environ["PATH"], "leaves"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert group_members(int(done.stdout)) == []
    assert not list(Path(folder).iterdir())
