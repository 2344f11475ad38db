"""Small photos, scripted workers, and a look at what processes there are."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from vggt_addon.jobs.board import Update
from vggt_addon.jobs.launch import Launch, worker_launch
from vggt_addon.jobs.runner import JobRunner, JobStatus
from vggt_addon.settings import EngineSettings, RunSettings

REPOSITORY = Path(__file__).parents[2]
SETTINGS = RunSettings(engine="sfm", engine_settings=EngineSettings(depth_size=128, threads=2))

PREAMBLE = """
import json, os, pathlib, subprocess, sys, time
def say(type, version=1, **fields):
    print(json.dumps({"version": version, "type": type, **fields}), flush=True)
def hello(**more):
    say("hello", **{"process": os.getpid(), "python": "3", "engines": [], **more})
def hear():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)
def serve():
    while True:
        asked = hear()
        if asked["type"] == "quit":
            sys.exit(0)
        if asked["type"] == "cancel":
            continue
        if asked["type"] == "run":
            pathlib.Path(asked["folder"], "capture").mkdir()
        say("done", job=asked["job"], result="capture" if asked["type"] == "run" else "")
print("last words", file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Three photos of the example at a third of their size: a run takes two seconds."""
    folder = tmp_path_factory.mktemp("photos")
    for number in (1, 2, 3):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            small = image.resize((image.width // 3, image.height // 3))
            small.save(folder / f"{number}.jpg", exif=image.info["exif"], quality=92)
    return tuple(str(path) for path in sorted(folder.iterdir()))


@pytest.fixture
def settings() -> RunSettings:
    """Of a quick run."""
    return SETTINGS


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A job's folder."""
    path = tmp_path / "job"
    path.mkdir()
    return str(path)


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Launch]:
    """A worker that runs the given program the first time it is started, and serves well afterwards."""

    def launch(program: str, *, every_time: bool = False) -> Launch:
        flag = tmp_path / "started_once"
        first = "True" if every_time else f"not os.path.exists({str(flag)!r})"
        text = f"{PREAMBLE}\nif {first}:\n    open({str(flag)!r}, 'a').write('x')\n"
        text += "".join(f"    {line}\n" for line in program.strip().splitlines())
        text += "    sys.exit(0)\nhello()\nserve()\n"
        return Launch((sys.executable, "-S", "-c", text), {"PATH": os.environ["PATH"], **_windows_needs()})

    return launch


def _windows_needs() -> dict[str, str]:
    return {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}


@pytest.fixture
def runner() -> Iterator[Callable[[Launch], JobRunner]]:
    """Makes runners, which are stopped at the end."""
    made: list[JobRunner] = []

    def make(launch: Launch) -> JobRunner:
        made.append(JobRunner(launch))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def real_runner(runner: Callable[[Launch], JobRunner], tmp_path: Path) -> JobRunner:
    """With the real worker."""
    return runner(worker_launch(Path(sys.executable), 60.0, tmp_path / "worker.log"))


Until = Callable[..., list[Update]]


@pytest.fixture
def until() -> Until:
    """Reads a runner's updates until it is idle, or one of them is as asked; fails after `seconds`."""

    def wait(
        runner: JobRunner, found: Callable[[Update], bool] = lambda news: False, seconds: float = 60.0
    ) -> list[Update]:
        told: list[Update] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            busy = runner.busy
            news = runner.updates()
            told += news
            if any(found(one) for one in news) or not (busy or runner.busy):
                return told
            time.sleep(0.005)
        pytest.fail(f"still busy after {seconds} s: {told[-3:]}")

    return wait


@pytest.fixture
def ends() -> Callable[[list[Update]], list[JobStatus]]:
    """The last word on each job that has ended."""
    return lambda told: [news for news in told if isinstance(news, JobStatus) and news.state.ended]


def processes(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == group and not row[2].startswith("Z")]


@pytest.fixture
def group_members() -> Callable[[int], list[int]]:
    """See `processes`; POSIX alone has groups."""
    return processes
