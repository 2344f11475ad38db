"""The runner against workers that misbehave: one sentence, no process left, and the next job works."""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.jobs import supervisor
from vggt_addon.jobs.board import Update
from vggt_addon.jobs.launch import Launch
from vggt_addon.jobs.protocol import LONGEST_LINE, Chosen, Hello, Plan, Planned, Probe, ProbedPhoto, Run
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus
from vggt_addon.settings import RunSettings

resource = pytest.importorskip("resource", reason="the scripts below are POSIX")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts below are POSIX")

Scripted = Callable[..., Launch]
Make = Callable[[Launch], JobRunner]
Until = Callable[..., list[Update]]
Ends = Callable[[list[Update]], list[JobStatus]]
SETTINGS = RunSettings()


def _run(folder: str, name: str = "run") -> Run:
    return Run(name, folder, ("/photos",), SETTINGS)


def _plan(name: str = "plan") -> Plan:
    return Plan(name, ("/photos",), SETTINGS)


def _running(news: Update) -> bool:
    return isinstance(news, JobStatus) and news.stage == "Working"


def _peak_memory() -> int:
    """Bytes."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


WORKING = 'say("progress", job=asked["job"], stage="Working", fraction=0.1)\n'
BEGUN = "hello()\nasked = hear()\n" + WORKING
HALF = 'pathlib.Path(asked["folder"], "work").mkdir()\npathlib.Path(asked["folder"], ".capture-x").mkdir()\n'
WAIT = "time.sleep(60)\n"

BAD = {
    "dies before its first word": ("sys.exit(3)", "stopped unexpectedly"),
    "ends well before its first word": ("sys.exit(0)", "stopped unexpectedly"),
    "dies in the middle": (BEGUN + HALF + "os._exit(7)", "stopped unexpectedly"),
    "leaves in the middle": (BEGUN + HALF + "sys.exit(0)", "stopped unexpectedly"),
    "aborts": (BEGUN + "os.abort()", "stopped unexpectedly"),
    "is killed by the system": (BEGUN + HALF + "os.kill(os.getpid(), 9)", "by the system, most often .* memory"),
    "closes its pipe and stays": (BEGUN + "os.close(1)\n" + WAIT, "stopped unexpectedly"),
    "prints rubbish": (BEGUN + HALF + 'for _ in range(3): print("rubbish", flush=True)\n' + WAIT, "no message of ours"),
    "prints rubbish at first": ('print("a\\n\\nc", flush=True)\n' + WAIT, "no message of ours"),
    "prints what is no text": (BEGUN + "os.write(1, bytes(range(256)) * 20)\n" + WAIT, "no message of ours"),
    "prints a line without an end": (
        BEGUN + 'for _ in range(1024): os.write(1, b"x" * (1 << 20))\n' + WAIT,
        "no message of ours",
    ),
    "is of another version": ("hello(version=2)\n" + WAIT, "another version"),
    "turns into another version": (BEGUN + 'say("heartbeat", version=0)\n' + WAIT, "another version"),
    "greets with an unknown field": ("for _ in range(3): hello(more=1)\n" + WAIT, "no message of ours"),
    "works before it greets": ('say("heartbeat")\n' + WAIT, "not asked for"),
    "greets twice": (BEGUN + "hello()\n" + WAIT, "not asked for"),
    "speaks of another job": (BEGUN + 'say("done", job="another", result="capture")\n' + WAIT, "not asked for"),
    "plans a run": (
        BEGUN + 'say("planned", job=asked["job"], engine="", reason="", sentence="", seconds=None, memory=None, '
        "memory_free=None, fits=True)\n" + WAIT,
        "not asked for",
    ),
    "names a result above": (
        BEGUN + 'pathlib.Path(asked["folder"], "../other").mkdir()\n'
        'say("done", job=asked["job"], result="../other")\n' + WAIT,
        "outside of its folder",
    ),
    "names an absolute result": (BEGUN + 'say("done", job=asked["job"], result="/tmp")\n' + WAIT, "outside"),
    "names no result": (BEGUN + 'say("done", job=asked["job"], result="")\n' + WAIT, "outside of its folder"),
    "names its folder": (BEGUN + 'say("done", job=asked["job"], result=".")\n' + WAIT, "outside of its folder"),
    "names a link that leads out": (
        BEGUN + 'os.symlink("/tmp", asked["folder"] + "/capture")\n'
        'say("done", job=asked["job"], result="capture")\n' + WAIT,
        "outside of its folder",
    ),
    "names a result that is not there": (
        BEGUN + 'say("done", job=asked["job"], result="capture")\n' + WAIT,
        "not there",
    ),
    "says that it failed": (
        BEGUN
        + HALF
        + 'say("failed", job=asked["job"], sentence="The photos are black.", detail="last words")\n'
        + WAIT,
        "The photos are black",
    ),
    "has a child that holds the pipe open": (
        BEGUN + 'subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)\nos._exit(1)',
        "stopped unexpectedly",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_worker_costs_one_sentence(
    name: str,
    scripted: Scripted,
    runner: Make,
    until: Until,
    ends: Ends,
    folder: str,
    group_members: Callable[[int], list[int]],
    tmp_path: Path,
) -> None:
    program, sentence = BAD[name]
    pid = tmp_path / "pid"
    made = runner(scripted(f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n{program}"))
    before = _peak_memory()
    made.submit(_run(folder))
    told = until(made, seconds=20)
    grown = _peak_memory() - before
    (end,) = ends(told)
    assert end.state is JobState.FAILED
    assert re.search(sentence, end.sentence), end.sentence
    assert end.sentence.endswith((".", "again.")) and "\n" not in end.sentence
    assert "last words" in end.detail
    assert grown < 60e6, f"{grown / 1e6:.0f} MB for a bad worker"
    assert not list(Path(folder).iterdir()), "what was half made is left"
    if name != "says that it failed":
        assert group_members(int(pid.read_text())) == []
        made.submit(_run(folder, "next"))
        (end,) = ends(until(made, seconds=20))
        assert end.state is JobState.DONE and end.result == Path(folder) / "capture"
        assert made.alive


@pytest.mark.parametrize("program", ["hello()\n" + WAIT, BEGUN + WAIT, WAIT], ids=["idle", "working", "starting"])
def test_a_worker_that_falls_silent_is_ended(
    program: str,
    scripted: Scripted,
    runner: Make,
    until: Until,
    ends: Ends,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(supervisor, "START_SECONDS", 1.0)
    made = runner(scripted(program))
    started = time.monotonic()
    made.submit(_run(folder))
    (end,) = ends(until(made, seconds=10))
    assert end.state is JobState.FAILED and "no longer answered" in end.sentence
    assert 1.0 < time.monotonic() - started < 3.0
    made.submit(_run(folder, "next"))
    (end,) = ends(until(made, seconds=10))
    assert end.state is JobState.DONE


def test_a_heart_that_beats_is_a_sign_of_life(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_SECONDS", 0.5)
    program = BEGUN + 'for _ in range(10):\n    say("heartbeat")\n    time.sleep(0.2)\n'
    program += 'say("failed", job=asked["job"], sentence="The end.", detail="")\n'
    made = runner(scripted(program))
    made.submit(_run(folder))
    (end,) = ends(until(made, seconds=10))
    assert end.sentence == "The end."


def test_a_worker_that_does_not_read_blocks_nobody(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is larger than a pipe."""
    monkeypatch.setattr(supervisor, "SILENT_SECONDS", 1.0)
    made = runner(scripted("hello()\n" + WAIT))
    made.submit(Run("run", folder, ("/photo.jpg",) * 50_000, SETTINGS))
    (end,) = ends(until(made, seconds=10))
    assert "no longer answered" in end.sentence


def test_a_line_of_rubbish_is_logged_and_survived(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = runner(scripted('print("a library says hello")\nhello()\nprint("and again")\nserve()'))
    made.submit(_run(folder))
    with caplog.at_level(logging.WARNING):
        (end,) = ends(until(made, seconds=10))
    assert end.state is JobState.DONE
    assert "a library says hello" in caplog.text and "and again" in caplog.text


def test_nothing_is_started_before_a_job_comes(scripted: Scripted, runner: Make) -> None:
    before = threading.active_count()
    made = runner(scripted(""))
    assert threading.active_count() == before
    assert not made.alive and not made.busy and made.hello is None and made.updates() == []
    made.cancel("unheard of")
    made.stop()
    assert made.updates() == []


def test_jobs_are_done_in_their_order_by_one_worker(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    made = runner(scripted("hello()\nserve()"))
    made.submit(Probe("probe", folder, ("/photos",)))
    made.submit(_plan())
    made.submit(_run(folder))
    told = until(made)
    assert [(end.job, end.kind, end.state) for end in ends(told)] == [
        ("probe", "probe", JobState.DONE),
        ("plan", "plan", JobState.DONE),
        ("run", "run", JobState.DONE),
    ]
    assert [end.result for end in ends(told)] == [None, None, Path(folder) / "capture"]
    (hello,) = [news for news in told if isinstance(news, Hello)]
    assert made.hello == hello and made.alive and not made.busy
    made.submit(_plan("later"))
    assert not [news for news in until(made) if isinstance(news, Hello)]


def test_what_waits_is_not_lost_with_a_run_that_dies(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    made = runner(scripted(BEGUN + "os._exit(1)"))
    made.submit(_run(folder))
    made.submit(_plan())
    made.submit(Probe("probe", folder, ("/photos",)))
    told = until(made)
    states = [(end.job, end.state) for end in ends(told)]
    assert states == [("run", JobState.FAILED), ("plan", JobState.DONE), ("probe", JobState.DONE)]
    assert len({news.process for news in told if isinstance(news, Hello)}) == 2


def test_a_worker_that_goes_off_duty_loses_no_job(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    """It was idle for long and left in the moment in which the job was sent."""
    made = runner(scripted("hello()\nhear()\nsys.exit(0)"))
    made.submit(_run(folder))
    told = until(made)
    (end,) = ends(told)
    assert end.state is JobState.DONE
    assert len([news for news in told if isinstance(news, Hello)]) == 2


def test_a_worker_that_always_goes_off_duty_is_tried_twice(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, tmp_path: Path
) -> None:
    made = runner(scripted("hello()\nhear()\nsys.exit(0)", every_time=True))
    made.submit(_run(folder))
    (end,) = ends(until(made))
    assert end.state is JobState.FAILED and "stopped unexpectedly" in end.sentence
    assert (tmp_path / "started_once").read_text() == "xx"


def test_an_idle_worker_that_leaves_is_no_trouble(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    program = BEGUN + 'say("failed", job=asked["job"], sentence="No.", detail="")\ntime.sleep(0.2)\nsys.exit(0)'
    made = runner(scripted(program))
    made.submit(_run(folder))
    until(made)
    caplog.clear()
    end = time.monotonic() + 5
    while made.alive and time.monotonic() < end:
        time.sleep(0.01)
    assert not made.alive and made.hello is None and not made.busy and made.updates() == []
    assert not caplog.records
    made.submit(_run(folder, "next"))
    assert ends(until(made))[0].state is JobState.DONE


def test_news_of_each_kind_arrive_as_they_were_told(
    scripted: Scripted, runner: Make, until: Until, folder: str
) -> None:
    program = """
hello(engines=[{"name": "sfm", "title": "SfM", "ready": True, "needs": "", "licence": ""}])
job = hear()["job"]
say("photo", job=job, path="/a.jpg", name="a.jpg", identity="", width=0, height=0, focal=None, lens="",
    thumbnail="a.png", problem="", seconds=0.0, frames=0, mask="", remark="")
say("done", job=job, result="")
job = hear()["job"]
say("planned", job=job, engine="sfm", reason="r", sentence="s", seconds=1, memory=None, memory_free=2, fits=True)
say("done", job=job, result="")
asked = hear()
say("chosen", job=asked["job"], engine="sfm", reason="r")
pathlib.Path(asked["folder"], "capture").mkdir()
say("done", job=asked["job"], result="capture")
serve()
"""
    made = runner(scripted(program))
    made.submit(Probe("probe", folder, ("/photos",)))
    made.submit(_plan())
    made.submit(_run(folder))
    told = [news for news in until(made) if not isinstance(news, JobStatus)]
    assert told[1:] == [
        ProbedPhoto("probe", "/a.jpg", "a.jpg", "", 0, 0, None, "", "a.png", ""),
        Planned("plan", "sfm", "r", "s", 1.0, None, 2.0, True),
        Chosen("run", "sfm", "r"),
    ]
    assert isinstance(told[0], Hello) and told[0].engines[0].name == "sfm"


def test_a_thumbnail_outside_the_folder_is_refused(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    program = BEGUN + (
        'say("photo", job=asked["job"], path="/a.jpg", name="a.jpg", identity="", width=0, height=0, focal=None, '
        'lens="", thumbnail="../secret.png", problem="", seconds=0.0, frames=0, mask="", remark="")\n'
    )
    made = runner(scripted(program + WAIT))
    made.submit(Probe("probe", folder, ("/photos",)))
    told = until(made)
    assert "outside of its folder" in ends(told)[0].sentence
    assert not [news for news in told if isinstance(news, ProbedPhoto)]


def test_a_folder_that_holds_a_capture_is_left_alone(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    dear = Path(folder) / "capture" / "dear"
    dear.mkdir(parents=True)
    made = runner(scripted("hello()\nserve()"))
    made.submit(_run(folder))
    (end,) = ends(until(made))
    assert end.state is JobState.FAILED and "holds another" in end.sentence
    assert dear.is_dir() and made.alive


def test_more_photos_than_a_message_holds_are_refused(
    scripted: Scripted, runner: Make, until: Until, ends: Ends
) -> None:
    made = runner(scripted("hello()\nserve()"))
    made.submit(Plan("plan", ("x" * LONGEST_LINE,), SETTINGS))
    (end,) = ends(until(made))
    assert end.state is JobState.FAILED and "more photos" in end.sentence
    assert not made.alive


def test_a_python_that_is_not_there_is_one_sentence(runner: Make, until: Until, ends: Ends, folder: str) -> None:
    made = runner(Launch(("/nowhere/python",), {}))
    made.submit(_run(folder))
    made.submit(_plan())
    told = ends(until(made))
    assert [end.state for end in told] == [JobState.FAILED] * 2
    assert "could not be started" in told[0].sentence and "/nowhere/python" in told[0].detail
    assert not made.alive


def test_submitting_and_cancelling_never_wait(scripted: Scripted, runner: Make, until: Until, ends: Ends) -> None:
    made = runner(scripted("time.sleep(3)\nhello()\nserve()"))
    slowest = 0.0
    for number in range(200):
        started = time.perf_counter()
        made.submit(_plan(str(number)))
        made.cancel(str(number)) if number % 2 else made.updates()
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 2, "on a machine that is busy with other things, too; who waits for the worker waits longer"
    told = ends(until(made))
    assert sum(end.state is JobState.DONE for end in told) + sum(end.state is JobState.CANCELLED for end in told) >= 100
    assert not [end for end in told if end.state is JobState.FAILED]


def test_progress_never_falls_and_tells_the_time_left(
    scripted: Scripted, runner: Make, until: Until, ends: Ends, folder: str
) -> None:
    program = "hello()\nasked = hear()\nfor tick in range(50):\n"
    program += '    say("progress", job=asked["job"], stage="Working", fraction=tick / 100 - 0.2 * (tick == 20))\n'
    program += "    time.sleep(0.08)\n"
    made = runner(scripted(program + "os._exit(1)"))
    made.submit(_run(folder))
    told = [news for news in until(made) if isinstance(news, JobStatus) and news.state is JobState.RUNNING]
    fractions = [news.fraction for news in told]
    assert fractions == sorted(fractions) and fractions[-1] == 0.49
    assert told[5].seconds_left is None
    assert told[-1].seconds_left == pytest.approx(4.2, abs=1.5)
