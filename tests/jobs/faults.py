"""The worker is killed at random moments of real runs; `make test-faults` runs it.

    python tests/jobs/faults.py [--kills 100] [--seed 0]

Each time: the runner lives and says one thing, no process and no file is left, and the next run works.
"""

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from vggt_addon.jobs.launch import worker_launch  # noqa: E402 - the path comes first
from vggt_addon.jobs.protocol import Run  # noqa: E402
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus  # noqa: E402
from vggt_addon.reconstruction import Reconstruction  # noqa: E402
from vggt_addon.settings import EngineSettings, RunSettings  # noqa: E402

SETTINGS = RunSettings(
    engine="sfm", engine_settings=EngineSettings(depth_size=96, threads=2), point_budget=20_000
)  # of a run that takes little more than a second
STARTING_SECONDS = 0.3  # about what a worker takes until its first word
PATIENCE = 60.0  # seconds for a run on a loaded machine


class Faults:
    """One runner, killed again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._photos = _small_photos(folder / "photos")
        self._runner = JobRunner(worker_launch(Path(sys.executable), 60.0, folder / "worker.log"))
        self._number = 0
        self.stages: Counter[str] = Counter()

    def stop(self) -> None:
        """End the worker; the next run starts another."""
        self._runner.stop()

    def good_run(self) -> float:
        """A run that nobody disturbs; returns its seconds."""
        folder = self._submit()
        started = time.monotonic()
        told = self._wait()
        ends = [status for status in told if status.state.ended]
        assert [end.state for end in ends] == [JobState.DONE], ends
        assert len(Reconstruction.load(folder / "capture").views) == 3
        assert [path.name for path in folder.iterdir()] == ["capture"]
        return time.monotonic() - started

    def killed_run(self, moment: float) -> None:
        """A run whose worker is killed `moment` seconds after it was handed in."""
        folder = self._submit()
        due = time.monotonic() + moment
        told: list[JobStatus] = []
        while time.monotonic() < due:
            told += self._read()
            time.sleep(0.002)
        _await(lambda: bool(_children()), "no worker is started")
        (worker,) = _children()
        os.kill(worker, signal.SIGKILL)
        told += self._wait()
        self.stages[_stage(told)] += 1
        ends = [status for status in told if status.state.ended]
        assert len(ends) == 1, f"not one message: {ends}"
        if ends[0].state is JobState.FAILED:
            assert "stopped by the system" in ends[0].sentence, ends[0]
            assert not list(folder.iterdir()), list(folder.iterdir())
        else:  # it was done already
            assert ends[0].state is JobState.DONE and ends[0].result == folder / "capture"
            Reconstruction.load(folder / "capture")
            _await(lambda: not self._runner.alive, "the runner does not notice that an idle worker was killed")
        _await(lambda: not _group(worker), f"orphans: {_group(worker)}")

    def _submit(self) -> Path:
        self._number += 1
        folder = self._folder / f"job_{self._number}"
        folder.mkdir()
        self._runner.submit(Run(str(self._number), str(folder), self._photos, SETTINGS))
        return folder

    def _read(self) -> list[JobStatus]:
        return [news for news in self._runner.updates() if isinstance(news, JobStatus)]

    def _wait(self) -> list[JobStatus]:
        told: list[JobStatus] = []
        end = time.monotonic() + PATIENCE
        while self._runner.busy:
            assert time.monotonic() < end, f"still busy: {told[-1:]}"
            told += self._read()
            time.sleep(0.005)
        return told


def _small_photos(folder: Path) -> tuple[str, ...]:
    folder.mkdir()
    for number in (1, 2, 3):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            image.resize((360, 240)).save(folder / f"{number}.jpg", exif=image.info["exif"], quality=92)
    return tuple(str(path) for path in sorted(folder.iterdir()))


def _stage(told: list[JobStatus]) -> str:
    if told[-1].state is JobState.DONE:
        return "done"
    return next((status.stage for status in reversed(told) if status.stage), "starting")


def _children() -> list[int]:
    """The worker, where there is one."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == os.getpid() and row[2] != "ps"]


def _group(number: int) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [row[2] for row in rows if int(row[0]) == number and not row[1].startswith("Z")]


def _await(condition: Callable[[], bool], sentence: str, seconds: float = 2.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, sentence
        time.sleep(0.01)


def main() -> None:
    """Kill, look, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())  # every kill is logged; here they are wanted
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(Path(folder))
        moments = random.Random(options.seed)
        try:
            taken = max(faults.good_run() for _ in range(2))
            for number in range(options.kills):
                # Spread evenly, a little random, so that every stage is met however few the kills are.
                if number % 5 == 4:  # one that is just starting
                    faults.stop()
                    faults.killed_run(STARTING_SECONDS * moments.random())
                else:
                    faults.killed_run(taken * (number + moments.random()) / options.kills)
                taken = 0.7 * taken + 0.3 * faults.good_run()
        finally:
            faults.stop()
    print(f"{options.kills} workers killed in {time.monotonic() - started:.0f} s, each after a run that worked:")
    for stage, count in faults.stages.most_common():
        print(f"    {count:3d}  {stage}")


if __name__ == "__main__":
    main()
