"""One job in a worker of its own."""

import sys
import time
from pathlib import Path

import pytest

from vggt_addon.jobs.launch import worker_launch
from vggt_addon.jobs.lone_job import LoneJob
from vggt_addon.jobs.protocol import GetWeights
from vggt_addon.jobs.status import JobState, JobStatus

JOB = GetWeights(job="1", weights="vggt-1b", file="", token_file="", replace=False)


def ended(task: LoneJob, seconds: float = 60.0) -> JobStatus:
    until = time.monotonic() + seconds
    while not task.status().state.ended:
        assert time.monotonic() < until
        time.sleep(0.02)
    return task.status()


def test_its_last_word_stays_and_its_worker_leaves(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    launch = worker_launch(Path(sys.executable), 0.2, tmp_path / "log", weights_folder=str(tmp_path / "weights"))
    task = LoneJob(launch, GetWeights("1", "vggt-1b", str(tmp_path / "notes.txt"), "", False))
    assert task.status().state in (JobState.QUEUED, JobState.RUNNING)
    last = ended(task)
    assert last.state is JobState.FAILED and "notes.txt" in last.sentence
    until = time.monotonic() + 30
    while task._runner.alive:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert task.status() == last
    task.stop()
    assert task.status() == last


def test_a_cancel_and_a_stop_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody answers there
    launch = worker_launch(Path(sys.executable), 0.2, tmp_path / "log", weights_folder=str(tmp_path / "weights"))
    task = LoneJob(launch, JOB)
    task.cancel()
    assert ended(task, 5.0).state is JobState.CANCELLED
    again = LoneJob(launch, JOB)
    again.stop()
    assert again.status().state is JobState.CANCELLED
    assert not again._runner.alive
