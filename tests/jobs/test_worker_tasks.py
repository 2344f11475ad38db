"""Each job ends in one word, whatever happens in it."""

import errno
import shutil
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vggt_addon import errors, pipeline
from vggt_addon.engines import registry
from vggt_addon.errors import EngineError, UserError
from vggt_addon.jobs.protocol import (
    LONGEST_LINE,
    Cancelled,
    Chosen,
    Done,
    Event,
    Failed,
    Job,
    Plan,
    Probe,
    ProbedPhoto,
    Progress,
    Run,
    encode,
)
from vggt_addon.jobs.warm import WarmEngines
from vggt_addon.jobs.worker_desk import Desk
from vggt_addon.jobs.worker_reporter import INTERVAL, Reporter
from vggt_addon.jobs.worker_tasks import perform
from vggt_addon.progress import never
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import RunSettings

SETTINGS = RunSettings()


def _perform(job: Job, cancel: Callable[[], bool] = never, engines: WarmEngines | None = None) -> list[Event]:
    told: list[Event] = []
    perform(job, told.append, Reporter(told.append, job.job), cancel, engines or WarmEngines())
    assert sum(isinstance(event, Done | Failed | Cancelled) for event in told) == 1
    assert isinstance(told[-1], Done | Failed | Cancelled)
    return told


@pytest.mark.parametrize(
    ("error", "sentence", "detail"),
    [
        (EngineError("No two photos overlap.", "the log"), "No two photos overlap.", "the log"),
        (ModuleNotFoundError("No module", name="cv2"), "Python of the background worker lacks cv2", "Traceback"),
        (
            ModuleNotFoundError("No module", name="torch"),
            "install the runtime in the add-on's preferences",
            "Traceback",
        ),
        (MemoryError("3 GB"), "not enough memory", "MemoryError: 3 GB"),
        (OSError(errno.ENOSPC, "No space"), "The disk is full", "No space"),
        (OSError(errno.EACCES, "Not allowed"), "Something unexpected", "Not allowed"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError('by zero')", "Traceback"),
        (UserError("x" * 5_000, "y" * LONGEST_LINE + "the end"), "x" * 2_000, "the end"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_failure_is_a_sentence_and_leaves_nothing(
    error: Exception, sentence: str, detail: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(inputs: Any, workspace: Path, *more: Any) -> Reconstruction:
        (workspace / "picture.png").write_text("x")
        raise error

    monkeypatch.setattr(pipeline, "reconstruct", fail)
    failed = _perform(Run("run", folder, (), SETTINGS))[-1]
    assert isinstance(failed, Failed)
    assert sentence in failed.sentence and detail in failed.detail and "\n" not in failed.sentence
    assert len(encode(failed)) < LONGEST_LINE
    assert not list(Path(folder).iterdir())


def test_a_folder_that_is_removed_in_the_middle_is_told(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*all: Any) -> Reconstruction:
        shutil.rmtree(folder)
        raise EngineError("The camera solver stopped unexpectedly.")

    monkeypatch.setattr(pipeline, "reconstruct", fail)
    failed = _perform(Run("run", folder, (), SETTINGS))[-1]
    assert isinstance(failed, Failed) and "may have been removed" in failed.sentence and folder in failed.sentence


@pytest.mark.parametrize(
    ("error", "end"), [(EngineError("The camera solver stopped."), Failed), (errors.Cancelled(), Cancelled)]
)
def test_a_full_disk_is_told_whatever_it_broke(
    error: Exception, end: type, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*all: Any) -> Reconstruction:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
        raise error

    monkeypatch.setattr(pipeline, "reconstruct", fail)
    last = _perform(Run("run", folder, (), SETTINGS))[-1]
    assert isinstance(last, end)
    if isinstance(last, Failed):
        assert "The disk is full" in last.sentence and "The camera solver stopped." in last.detail
    assert not list(Path(folder).iterdir())


def test_a_run_that_is_cancelled_while_it_saves_leaves_nothing(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        def save(self, target: Path) -> None:
            target.mkdir()
            raise errors.Cancelled

    monkeypatch.setattr(pipeline, "reconstruct", lambda *all: Half())
    assert _perform(Run("run", folder, (), SETTINGS))[-1] == Cancelled("run")
    assert not list(Path(folder).iterdir())


def test_a_cancel_before_the_work_begins_is_heard(folder: str) -> None:
    for job in (Run("1", folder, (), SETTINGS), Plan("2", (), SETTINGS), Probe("3", folder, ())):
        assert _perform(job, cancel=lambda: True)[-1] == Cancelled(job.job)
    assert not list(Path(folder).iterdir())


def test_the_engine_is_named_before_it_runs(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def reconstruct(
        inputs: Any, workspace: Path, settings: Any, progress: Any, cancel: Any, on_choice: Any, create: Any
    ) -> Reconstruction:
        on_choice(pipeline.EngineChoice("sfm", "because"))
        progress("Working", 1.0)
        return Reconstruction(views=(), engine="sfm")

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    told = _perform(Run("run", folder, (), SETTINGS))
    assert Chosen("run", "sfm", "because") in told and told[-1] == Done("run", "capture")
    assert Reconstruction.load(Path(folder) / "capture").engine == "sfm"


def test_a_damaged_photo_has_a_problem_and_no_thumbnail(photos: tuple[str, ...], folder: str, tmp_path: Path) -> None:
    whole = Path(photos[0]).read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    told = _perform(Probe("probe", folder, (str(cut), photos[0], photos[0])))
    probed = [event for event in told if isinstance(event, ProbedPhoto)]
    by_name = {event.name: event for event in probed}
    assert "cut.jpg" in by_name["cut.jpg"].problem and by_name["cut.jpg"].thumbnail == ""
    assert by_name["1.jpg"].problem == "" and by_name["1.jpg"].thumbnail == f"{by_name['1.jpg'].identity}.png"
    assert told[-1] == Done("probe", "")
    assert [path.name for path in Path(folder).iterdir()] == [by_name["1.jpg"].thumbnail]


def test_progress_is_told_at_most_ten_times_a_second_and_never_falls() -> None:
    told: list[Progress] = []
    reporter = Reporter(told.append, "run")
    end = time.monotonic() + 0.55
    fraction = 0.0
    while time.monotonic() < end:
        fraction += 0.0001
        reporter(f"Stage {int(fraction * 1000)}", fraction if int(fraction * 10_000) % 2 else fraction / 2)
    assert 4 <= len(told) <= 6
    assert [event.fraction for event in told] == sorted(event.fraction for event in told)


def test_a_stage_that_came_too_soon_is_told_later() -> None:
    told: list[Progress] = []
    reporter = Reporter(told.append, "run")
    reporter.flush()
    assert told == []
    reporter("One", 0.1)
    reporter("Two", 7.0)
    assert told == [Progress("run", "One", 0.1)]
    time.sleep(INTERVAL)
    reporter.flush()
    reporter.flush()
    assert told[1:] == [Progress("run", "Two", 1.0)]


def test_the_desk_hands_out_one_job_at_a_time() -> None:
    desk = Desk()
    first, second = Plan("1", (), SETTINGS), Plan("2", (), SETTINGS)
    assert desk.put(first) and desk.put(second) and not desk.put(second)
    assert desk.take(0) == first == desk.running
    assert not desk.put(first), "it runs"
    assert not desk.stopped()
    assert not desk.cancel("unheard of") and not desk.stopped()
    assert not desk.cancel("1") and desk.stopped()
    assert desk.take(0) == second and not desk.stopped()
    assert desk.put(first) and desk.cancel("1"), "it waited"
    started = time.monotonic()
    assert desk.take(0.2) is None
    assert 0.2 <= time.monotonic() - started < 1.0


def test_a_closed_desk_stops_everything() -> None:
    desk = Desk()
    desk.put(Plan("1", (), SETTINGS))
    desk.put(Plan("2", (), SETTINGS))
    desk.take(0)
    desk.close()
    assert desk.stopped() and desk.take(60) is None


def test_engines_are_kept_and_let_go_for_a_run_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        def __init__(self, name: str) -> None:
            self.name = name

    monkeypatch.setattr(registry, "create", Made)
    engines = WarmEngines()
    kept = engines.create("vggt")
    assert engines.create_alone("vggt") is kept
    other = engines.create("sfm")
    assert other is not kept and engines.create("vggt") is kept, "a plan of another engine costs no network"
    assert engines.create_alone("sfm") is other
    assert engines.create("vggt") is not kept
    last = engines.create("sfm")
    engines.forget()
    assert engines.create("sfm") is not last


def test_a_lack_of_memory_lets_the_engines_go(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*all: Any) -> Reconstruction:
        raise MemoryError

    monkeypatch.setattr(pipeline, "reconstruct", fail)
    engines = WarmEngines()
    kept = engines.create("sfm")
    _perform(Run("run", folder, (), SETTINGS), engines=engines)
    assert engines.create("sfm") is not kept
