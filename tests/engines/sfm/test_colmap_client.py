"""The camera solver's process may do what it likes; its caller lives and says one sentence."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.engines.sfm import colmap_client
from vggt_addon.engines.sfm.colmap_client import SolverError, run_attempt
from vggt_addon.engines.sfm.ladder import attempts
from vggt_addon.engines.sfm.solution import Solution
from vggt_addon.engines.sfm.working_copies import plan_copies, write_copies
from vggt_addon.errors import Cancelled
from vggt_addon.photos.gather import gather
from vggt_addon.progress import Cancel, Progress, never, no_progress

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path, turned_photos: Callable[[Path, int], list[Path]]) -> Callable[..., object]:
    """One attempt on real photos, through the real process unless its module was replaced."""
    photos = gather(turned_photos(tmp_path, 2)).photos
    attempt = attempts(2)[0]
    lenses = plan_copies(photos, attempt.copy_size)
    write_copies(photos, lenses, tmp_path / "copies", 1, no_progress, never)

    def call(progress: Progress = no_progress, cancel: Cancel = never, sequence: bool = False) -> object:
        return run_attempt(
            attempt,
            lenses,
            tmp_path / "copies",
            tmp_path / "attempt",
            seed=0,
            threads=1,
            sequence=sequence,
            progress=progress,
            cancel=cancel,
        )

    return call


def _children() -> set[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", colmap_client.MODULE], capture_output=True, text=True
    )
    return {int(line) for line in found.stdout.split()}


def _when_child_runs(action: Callable[[int], None]) -> threading.Thread:
    def wait() -> None:
        for _ in range(1000):
            for child in _children():
                action(child)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_frames_of_a_walk_are_compared(run: Callable[..., object], tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    solution = run(progress=lambda stage, fraction: told.append((stage, fraction)), sequence=True)
    assert isinstance(solution, Solution)
    assert [(pair.first, pair.second) for pair in solution.pairs] == [("lens_000/00000.png", "lens_000/00001.png")]
    assert told == sorted(told, key=lambda one: one[1]) and told[-1] == ("Placing cameras", 1.0)


@pytest.mark.skipif(sys.platform == "win32", reason="uses pgrep and POSIX signals")
def test_killed_child_is_one_sentence_and_a_live_caller(run: Callable[..., object], tmp_path: Path) -> None:
    killer = _when_child_runs(lambda child: os.kill(child, signal.SIGKILL))
    with pytest.raises(SolverError) as caught:
        run()
    killer.join()
    assert caught.value.killed
    assert caught.value.sentence.count(". ") == 0 and "memory" in caught.value.sentence
    assert not list(tmp_path.glob("*.db")), "a half-filled database would poison the next attempt"
    assert not _children()


@pytest.mark.skipif(sys.platform == "win32", reason="uses pgrep and POSIX signals")
def test_abort_inside_the_child_is_one_sentence(run: Callable[..., object]) -> None:
    killer = _when_child_runs(lambda child: os.kill(child, signal.SIGABRT))
    with pytest.raises(SolverError, match="stopped unexpectedly") as caught:
        run()
    killer.join()
    assert not caught.value.killed
    assert colmap_client.MODULE in caught.value.detail


@pytest.mark.skipif(sys.platform == "win32", reason="uses pgrep")
def test_cancel_kills_the_child_at_once(run: Callable[..., object]) -> None:
    started = time.monotonic()

    def cancel() -> bool:
        return time.monotonic() - started > 0.5

    with pytest.raises(Cancelled):
        run(cancel=cancel)
    assert time.monotonic() - started < 2.5
    assert not _children()


def test_a_child_that_closes_its_pipe_and_stays_can_be_cancelled(
    run: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "silent_solver.py").write_text("import os, time; os.close(1); time.sleep(20)")
    monkeypatch.setattr(colmap_client, "MODULE", "silent_solver")
    monkeypatch.setattr(colmap_client, "_PACKAGE_PARENT", tmp_path)
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run(cancel=lambda: time.monotonic() - started > 1)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "program",
    [
        "print('{not json'); print('x' * 100000)",
        "import json; print(json.dumps({'stage': 'a', 'fraction': 'b'}))",
        "import json; print(json.dumps([1, 2, 3]))",
    ],
    ids=["rubbish", "wrong types", "wrong shape"],
)
def test_rubbish_on_stdout_is_logged_and_survived(
    run: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    program: str,
) -> None:
    (tmp_path / "rubbish_solver.py").write_text(program)
    monkeypatch.setattr(colmap_client, "MODULE", "rubbish_solver")
    monkeypatch.setattr(colmap_client, "_PACKAGE_PARENT", tmp_path)
    with caplog.at_level(logging.WARNING), pytest.raises(SolverError, match="stopped unexpectedly"):
        run()  # it ends with 0 but leaves no solution
    assert "the camera solver printed" in caplog.text


def test_child_never_imports_pillow() -> None:
    """Pillow and pycolmap in one process corrupt the heap."""
    program = (
        "import sys, vggt_addon.engines.sfm.colmap_process; "
        "sys.exit([name for name in sys.modules if name.split('.')[0] in ('PIL', 'cv2', 'bpy')] or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_child_leaves_when_its_parent_dies(tmp_path: Path) -> None:
    """The pipe closes with the parent; a solver without a caller would heat the room for minutes."""
    job = tmp_path / "job.json"
    program = (
        "import os, threading, time; from vggt_addon.engines.sfm import colmap_process as child; "
        "threading.Thread(target=child._end_with_parent, daemon=True).start(); time.sleep(30)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(job)], stdin=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=15) == 3
