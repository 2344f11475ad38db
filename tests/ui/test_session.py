"""What the panel knows: photos, plan and run, from what the worker tells."""

from pathlib import Path

import pytest

from vggt_addon.jobs.protocol import Chosen, EngineState, Hello, Plan, Planned, Probe, ProbedPhoto, Run
from vggt_addon.jobs.status import JobState, JobStatus
from vggt_addon.settings import RunSettings
from vggt_addon.ui.session import Session


class ScriptedRunner:
    """Stands in for the worker's keeper: notes what it is asked and tells what the test puts into `tells`."""

    def __init__(self) -> None:
        self.asked: list[Probe | Plan | Run] = []
        self.cancelled: list[str] = []
        self.tells: list[object] = []
        self.busy = False
        self.stopped = False

    def submit(self, request: Probe | Plan | Run) -> None:
        self.asked.append(request)

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)

    def updates(self) -> list[object]:
        told, self.tells = self.tells, []
        return told

    def stop(self, seconds: float = 2.0) -> None:
        self.stopped = True


@pytest.fixture
def runner() -> ScriptedRunner:
    return ScriptedRunner()


@pytest.fixture
def session(runner: ScriptedRunner, tmp_path: Path) -> Session:
    return Session(lambda: runner, tmp_path)


def photo(job: str, path: str, **changes: object) -> ProbedPhoto:
    facts = {
        "job": job,
        "path": path,
        "name": Path(path).name,
        "identity": "ab",
        "width": 40,
        "height": 30,
        "focal": None,
        "lens": "",
        "thumbnail": "0.png",
        "problem": "",
    }
    return ProbedPhoto(**{**facts, **changes})  # type: ignore[arg-type]


def planned(job: str) -> Planned:
    return Planned(
        job=job, engine="sfm", reason="", sentence="2 photos", seconds=1.0, memory=1.0, memory_free=2.0, fits=True
    )


def test_nothing_starts_before_it_is_needed(tmp_path: Path) -> None:
    def make() -> ScriptedRunner:
        raise AssertionError("a worker was made")

    session = Session(make, tmp_path)
    assert not session.step()
    assert not session.working
    session.cancel()
    session.stop()


def test_a_photo_is_looked_at_once(session: Session, runner: ScriptedRunner) -> None:
    session.probe(["/a.jpg", "/b.jpg"])
    (request,) = runner.asked
    assert isinstance(request, Probe)
    assert request.photos == ("/a.jpg", "/b.jpg")
    assert Path(request.folder).is_dir()
    runner.tells = [photo(request.job, "/a.jpg"), photo(request.job, "/b.jpg", thumbnail="", problem="It is damaged.")]
    assert session.step()
    assert session.facts["/b.jpg"].problem == "It is damaged."
    assert session.thumbnails == {"/a.jpg": Path(request.folder) / "0.png"}
    session.probe(["/a.jpg", "/b.jpg"])
    assert len(runner.asked) == 1


def test_photos_that_are_being_looked_at_are_not_asked_for_twice(session: Session, runner: ScriptedRunner) -> None:
    session.probe(["/a.jpg"])
    session.probe(["/a.jpg", "/b.jpg"])
    assert [request.photos for request in runner.asked] == [("/a.jpg",), ("/b.jpg",)]


def test_after_a_failed_look_photos_can_be_looked_at_again(session: Session, runner: ScriptedRunner) -> None:
    session.probe(["/a.jpg"])
    failed = JobStatus(job=runner.asked[0].job, kind="probe", state=JobState.FAILED, sentence="The worker stopped.")
    runner.tells = [failed]
    session.step()
    assert session.message is not None
    assert session.message.sentence == "The worker stopped."
    session.probe(["/a.jpg"])
    assert len(runner.asked) == 2


def test_only_the_newest_plan_counts(session: Session, runner: ScriptedRunner) -> None:
    session.plan(["/a.jpg"], RunSettings())
    session.plan(["/a.jpg", "/b.jpg"], RunSettings())
    old, new = (request.job for request in runner.asked)
    assert runner.cancelled == [old]
    runner.tells = [planned(old), planned(new)]
    session.step()
    assert session.planned is not None
    assert session.planned.job == new
    runner.tells = [JobStatus(job=new, kind="plan", state=JobState.DONE)]
    session.step()
    assert not session.planning
    session.forget_plan()
    assert session.planned is None
    assert runner.cancelled == [old]


def test_a_plan_that_failed_says_why(session: Session, runner: ScriptedRunner) -> None:
    session.plan(["/a.jpg"], RunSettings())
    runner.tells = [JobStatus(job=runner.asked[0].job, kind="plan", state=JobState.FAILED, sentence="No photo.")]
    session.step()
    assert (session.plan_problem, session.planning, session.message) == ("No photo.", False, None)


def test_a_run_is_followed_to_its_end(session: Session, runner: ScriptedRunner, tmp_path: Path) -> None:
    session.start(tmp_path, "garden", 1, ["/a.jpg"], RunSettings())
    (request,) = runner.asked
    assert isinstance(request, Run)
    assert (request.folder, request.photos) == (str(tmp_path), ("/a.jpg",))
    running = JobStatus(job=request.job, kind="run", state=JobState.RUNNING, stage="Matching", fraction=0.5)
    runner.tells = [Chosen(job=request.job, engine="sfm", reason="x"), running]
    assert session.step()
    assert session.run is not None
    assert session.run.status.stage == "Matching"
    assert session.run.chosen is not None
    session.cancel()
    assert runner.cancelled == [request.job]
    runner.tells = [JobStatus(job=request.job, kind="run", state=JobState.CANCELLED)]
    session.step()
    session.cancel()
    assert runner.cancelled == [request.job]


def test_engines_are_those_of_the_worker(session: Session, runner: ScriptedRunner) -> None:
    session.probe(["/a.jpg"])
    engine = EngineState(name="sfm", title="Built-in", ready=True, needs="", licence="")
    runner.tells = [Hello(process=1, python="3.11", engines=(engine,))]
    session.step()
    assert session.engines == (engine,)


def test_stopping_ends_the_worker(session: Session, runner: ScriptedRunner) -> None:
    session.probe(["/a.jpg"])
    session.stop()
    assert runner.stopped
    session.stop()
