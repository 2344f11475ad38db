"""The real worker process, spoken with by hand."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vggt_addon.jobs.launch import worker_launch
from vggt_addon.jobs.protocol import (
    LONGEST_LINE,
    Cancel,
    Cancelled,
    Chosen,
    Done,
    Event,
    Failed,
    Heartbeat,
    Hello,
    Plan,
    Planned,
    Probe,
    ProbedPhoto,
    Progress,
    Quit,
    Request,
    Run,
    decode_event,
    encode,
)
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import RunSettings

REPOSITORY = Path(__file__).parents[2]


class Talk:
    """One worker, and what it says."""

    def __init__(self, idle: float, log: Path, program: str = "") -> None:
        launch = worker_launch(Path(sys.executable), idle, log)
        command = [sys.executable, "-c", program, *launch.command[3:]] if program else launch.command
        self.process = subprocess.Popen(
            command,
            env=launch.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        self.log = log
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def say(self, *requests: Request | bytes) -> None:
        """Ask."""
        assert self.process.stdin is not None
        lines = b"".join(each if isinstance(each, bytes) else encode(each) for each in requests)
        while lines:
            lines = lines[self.process.stdin.write(lines) or 0 :]

    def hear(self, *kinds: type, seconds: float = 60.0) -> list[Event]:
        """All until the first of one of these kinds, without heartbeats."""
        told: list[Event] = []
        end = time.monotonic() + seconds
        while True:
            event = decode_event(self._lines.get(timeout=max(end - time.monotonic(), 0.01)))
            told += [] if isinstance(event, Heartbeat) and Heartbeat not in kinds else [event]
            if isinstance(event, kinds):
                return told

    def last(self, *kinds: type, seconds: float = 60.0) -> Any:
        """The first of one of these kinds."""
        return self.hear(*kinds, seconds=seconds)[-1]

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Callable[..., Talk]]:
    """Starts workers, which are ended at the end."""
    made: list[Talk] = []

    def make(idle: float = 60.0, program: str = "") -> Talk:
        made.append(Talk(idle, tmp_path / f"log_{len(made)}.txt", program))
        return made[-1]

    yield make
    for one in made:
        one.close()


ENDS = (Done, Failed, Cancelled)


def test_it_greets_with_its_engines_and_its_heart_beats(talk: Callable[..., Talk]) -> None:
    worker = talk()
    hello = worker.last(Hello)
    assert hello.process == worker.process.pid
    assert [engine.name for engine in hello.engines] == ["vggt", "dust3r", "sfm"]
    started = time.monotonic()
    worker.hear(Heartbeat)
    worker.hear(Heartbeat)
    assert 1.0 < time.monotonic() - started < 4.0


def test_photos_plan_and_run(
    talk: Callable[..., Talk], photos: tuple[str, ...], settings: RunSettings, folder: str, tmp_path: Path
) -> None:
    worker = talk()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    worker.say(
        Probe("probe", folder, (*photos, str(broken))),
        Plan("plan", photos, settings),
        Run("run", folder, photos, settings),
    )
    told = worker.hear(*ENDS)
    probed = [event for event in told if isinstance(event, ProbedPhoto)]
    assert told[-1] == Done("probe", "") and len(probed) == 4
    for photo, path in zip(probed, photos, strict=False):
        assert (photo.path, photo.width, photo.height, photo.problem) == (path, 400, 266, "")
        assert photo.focal == pytest.approx(400 * 5 / 6, rel=0.01)  # of the whole photo: 1000 of 1200
        assert (Path(folder) / photo.thumbnail).read_bytes().startswith(b"\x89PNG")
    assert (probed[3].width, probed[3].thumbnail, probed[3].identity) == (0, "", "") and "broken.jpg" in probed[
        3
    ].problem
    told = worker.hear(*ENDS)
    (planned,) = [event for event in told if isinstance(event, Planned)]
    assert told[-1] == Done("plan", "") and planned.engine == "sfm" and planned.fits
    started = time.monotonic()
    told = worker.hear(*ENDS)
    assert told[-1] == Done("run", "capture")
    assert Chosen("run", "sfm", "as asked for") in told
    progress = [event for event in told if isinstance(event, Progress)]
    assert len(progress) <= 10 * (time.monotonic() - started) + 3
    assert [event.fraction for event in progress] == sorted(event.fraction for event in progress)
    reconstruction = Reconstruction.load(Path(folder) / "capture")
    assert len(reconstruction.views) == 3 and reconstruction.points is not None
    assert sorted(path.name for path in Path(folder).iterdir() if path.suffix != ".png") == ["capture"]


def test_failures_are_sentences(talk: Callable[..., Talk], photos: tuple[str, ...], folder: str) -> None:
    worker = talk()
    settings = RunSettings(engine="unheard of")
    worker.say(
        Run("1", folder, photos, settings), Run("2", "/nowhere", photos, settings), Run("3", "job", photos, settings)
    )
    worker.say(Plan("4", ("/nowhere/photo.jpg",), RunSettings()), Probe("5", "/nowhere", photos))
    for job, sentence in (
        ("1", "no engine called unheard of"),
        ("2", "/nowhere for this job is not there"),
        ("3", "The folder job for this job"),
        ("4", "/nowhere/photo.jpg"),
        ("5", "is not there"),
    ):
        failed = worker.last(*ENDS)
        assert isinstance(failed, Failed) and failed.job == job and sentence in failed.sentence
    assert not list(Path(folder).iterdir())


def test_what_is_no_request_is_answered_where_the_job_is_known(talk: Callable[..., Talk]) -> None:
    worker = talk()
    worker.hear(Hello)
    worker.say(b"garbage\n", b"\xff\xfe\n", b"[]\n", b"\n", b'{"version": 1, "type": "progress"}\n')
    other = json.dumps({"version": 2, "type": "run", "job": "new", "more": 1}).encode() + b"\n"
    unknown = json.dumps({"version": 1, "type": "run", "job": "wrong"}).encode() + b"\n"
    worker.say(other, unknown, Cancel("unheard of"), Plan("good", ("/nowhere.jpg",), RunSettings()))
    first, second, third = (worker.last(*ENDS) for _ in range(3))
    assert first.job == "new" and "another version" in first.sentence
    assert second.job == "wrong" and "does not understand" in second.sentence and "folder" in second.detail
    assert third.job == "good"
    assert worker.log.read_text().count("not a request") == 7


def test_a_request_without_an_end_is_not_waited_for(talk: Callable[..., Talk]) -> None:
    worker = talk()
    worker.hear(Hello)
    with contextlib.suppress(BrokenPipeError):  # it may leave before all is written
        worker.say(b"x" * (LONGEST_LINE + (1 << 17)))
    assert worker.process.wait(5) == 0
    assert "LineTooLong" in worker.log.read_text()


def test_cancel_is_answered_at_once(
    talk: Callable[..., Talk], photos: tuple[str, ...], settings: RunSettings, folder: str
) -> None:
    worker = talk()
    worker.say(
        Run("run", folder, photos, settings), Plan("plan", photos, settings), Run("run", folder, photos, settings)
    )
    worker.hear(Chosen)
    worker.say(Cancel("plan"))
    assert worker.last(*ENDS, seconds=1.0) == Cancelled("plan")
    worker.say(Cancel("run"))
    assert worker.last(*ENDS, seconds=2.0) == Cancelled("run")
    assert not list(Path(folder).iterdir())
    worker.say(Plan("later", photos, settings))
    assert worker.last(*ENDS) == Done("later", "")
    assert "run is there already" in worker.log.read_text()


def test_it_leaves_when_idle(talk: Callable[..., Talk]) -> None:
    worker = talk(idle=0.5)
    worker.hear(Hello)
    started = time.monotonic()
    assert worker.process.wait(5) == 0
    assert 0.3 < time.monotonic() - started < 2.0


@pytest.mark.parametrize("how", ["end of input", "quit", "polite kill"])
def test_it_leaves_in_the_middle_of_a_run(
    how: str, talk: Callable[..., Talk], photos: tuple[str, ...], settings: RunSettings, folder: str
) -> None:
    worker = talk()
    worker.say(Run("run", folder, photos, settings))
    worker.hear(Chosen)
    started = time.monotonic()
    assert worker.process.stdin is not None
    if how == "end of input":
        worker.process.stdin.close()
    elif how == "quit":
        worker.say(Quit())
    else:
        worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0
    assert time.monotonic() - started < 2.0
    assert not list(Path(folder).iterdir())


STUCK = """
import sys, time
from pathlib import Path
from vggt_addon.jobs import worker
from vggt_addon.jobs.protocol import Progress
def perform(job, send, reporter, cancel, engines):
    Path(job.folder, "work").mkdir()
    send(Progress(job.job, "Stuck", 0.0))
    {stuck}
worker.perform = perform
worker.main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX process groups")
@pytest.mark.parametrize(
    "stuck",
    ["time.sleep(60)", "import subprocess; subprocess.run(['sleep', '60'])", "while True: pass"],
    ids=["asleep", "with a child", "busy"],
)
def test_it_leaves_whatever_it_is_doing(
    stuck: str, talk: Callable[..., Talk], folder: str, group_members: Callable[[int], list[int]]
) -> None:
    worker = talk(program=STUCK.format(stuck=stuck))
    worker.say(Run("run", folder, (), RunSettings()))
    worker.hear(Progress)
    started = time.monotonic()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(5) == -signal.SIGKILL
    assert time.monotonic() - started < 2.0
    assert not list(Path(folder).iterdir())
    end = time.monotonic() + 1.0
    while group_members(worker.process.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert group_members(worker.process.pid) == []


HOLDS_THE_INTERPRETER = """
import ctypes, sys, time
from vggt_addon.jobs import worker
from vggt_addon.jobs.protocol import Progress
def perform(job, send, reporter, cancel, engines):
    send(Progress(job.job, "Stuck", 0.0))
    while not cancel():
        time.sleep(0.01)
    ctypes.PyDLL(None).sleep(60)  # as a library that never lets another thread run
worker.perform = perform
worker.main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sleep is POSIX")
def test_it_leaves_even_where_no_thread_can_run(talk: Callable[..., Talk]) -> None:
    worker = talk(program=HOLDS_THE_INTERPRETER)
    worker.say(Plan("plan", (), RunSettings()))
    worker.hear(Progress)
    started = time.monotonic()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(5) == 1
    assert time.monotonic() - started < 2.2
    assert "Timeout" in worker.log.read_text()


NOISY = """
import os, subprocess, sys
from vggt_addon.jobs import worker
from vggt_addon.jobs.protocol import Done
def perform(job, send, reporter, cancel, engines):
    print("from Python", flush=True)
    os.write(1, b"from a library\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('child reads', repr(sys.stdin.read()))"])
    send(Done(job.job, ""))
worker.perform = perform
worker.main(sys.argv[1:])
"""


def test_what_libraries_print_goes_to_the_log(talk: Callable[..., Talk]) -> None:
    worker = talk(program=NOISY)
    worker.say(Plan("plan", (), RunSettings()))
    assert worker.hear(*ENDS)[1:] == [Done("plan", "")]
    text = worker.log.read_text()
    assert "from Python\n" in text and "from a library\n" in text and "child reads ''" in text


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_steps_back_for_blender_and_opens_no_socket(
    talk: Callable[..., Talk], photos: tuple[str, ...], settings: RunSettings, folder: str
) -> None:
    worker = talk()
    worker.say(Run("run", folder, photos, settings))
    worker.hear(Chosen)
    process = Path("/proc", str(worker.process.pid))
    assert os.getpriority(os.PRIO_PROCESS, worker.process.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    assert (process / "oom_score_adj").read_text().strip() == "500"
    found: list[Path] = []
    for _ in range(50):
        with contextlib.suppress(FileNotFoundError):  # what was closed meanwhile
            found += [each.readlink() for each in (process / "fd").iterdir()]
        time.sleep(0.02)
    assert len(found) > 100
    assert not [link for link in found if str(link).startswith("socket:")]
    worker.hear(*ENDS)


def test_without_a_log_it_goes_to_stderr(tmp_path: Path) -> None:
    launch = worker_launch(Path(sys.executable), 60.0, tmp_path / "log")
    command = [sys.executable, "-c", NOISY]
    with subprocess.Popen(
        command,
        env=launch.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(encode(Plan("plan", (), RunSettings())))
        process.stdin.flush()
        lines = [process.stdout.readline()]
        while decode_event(lines[-1]) != Done("plan", ""):
            lines.append(process.stdout.readline())
        process.stdin.close()
        said = process.stderr.read()
    assert {type(decode_event(line)) for line in lines} <= {Hello, Heartbeat, Done}
    assert b"from Python" in said and b"from a library" in said


def test_wrong_options_are_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vggt_addon.jobs.worker", "--idle", "soon"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "--idle" in done.stderr and done.stdout == ""
