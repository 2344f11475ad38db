"""The queue of jobs and the news of them."""

import pytest

from vggt_addon.jobs import board
from vggt_addon.jobs.board import Board, UnreadError, Update
from vggt_addon.jobs.protocol import Chosen, Job, Plan, Probe, Run
from vggt_addon.jobs.status import JobState, JobStatus
from vggt_addon.settings import RunSettings


def _plan(name: str) -> Plan:
    return Plan(name, (), RunSettings())


def _said(news: list[Update]) -> list[tuple[str, str]]:
    return [(one.job, one.state.value) for one in news if isinstance(one, JobStatus)]


def test_jobs_come_in_their_order_and_one_at_a_time() -> None:
    jobs = Board()
    for name in "abc":
        jobs.add(_plan(name))
    assert jobs.start_next() == _plan("a") == jobs.running
    assert jobs.start_next() is None
    jobs.end(state=JobState.DONE)
    assert jobs.start_next() == _plan("b")
    assert _said(jobs.read())[3:] == [("a", "running"), ("a", "done"), ("b", "running")]


@pytest.mark.parametrize(
    ("job", "kind"),
    [(Probe("1", "/f", ()), "probe"), (_plan("1"), "plan"), (Run("1", "/f", (), RunSettings()), "run")],
)
def test_a_status_names_the_kind(job: Job, kind: str) -> None:
    jobs = Board()
    jobs.add(job)
    assert jobs.read() == [JobStatus("1", kind, JobState.QUEUED)]


def test_a_name_can_be_used_again_only_after_its_end() -> None:
    jobs = Board()
    jobs.add(_plan("a"))
    with pytest.raises(ValueError, match="a is there"):
        jobs.add(_plan("a"))
    jobs.cancel("a")
    jobs.add(_plan("a"))
    assert _said(jobs.read()) == [("a", "queued"), ("a", "cancelled"), ("a", "queued")]


def test_busy_until_the_end_was_read() -> None:
    jobs = Board()
    busy = [jobs.busy]
    jobs.add(_plan("a"))
    jobs.start_next()
    jobs.read()
    busy.append(jobs.busy)
    jobs.end(state=JobState.DONE)
    busy.append(jobs.busy)
    jobs.read()
    busy.append(jobs.busy)
    assert busy == [False, True, True, False]


def test_of_progress_in_a_row_the_last_is_told_and_it_never_falls() -> None:
    jobs = Board()
    jobs.add(_plan("a"))
    jobs.start_next()
    jobs.read()
    for fraction in (0.1, 0.5, 0.4, 7.0):
        jobs.progress("Stage", fraction, 3.0)
    assert jobs.read() == [JobStatus("a", "plan", JobState.RUNNING, "Stage", 1.0, 3.0)]
    jobs.progress("Stage", 0.2, None)
    jobs.tell(Chosen("a", "sfm", ""))
    jobs.progress("Stage", 0.3, None)
    assert len(jobs.read()) == 3, "what lies between is kept in its place"


def test_a_job_that_is_cancelled_shows_no_time_left() -> None:
    jobs = Board()
    jobs.add(_plan("a"))
    jobs.start_next()
    jobs.progress("Stage", 0.5, 9.0)
    jobs.cancel("a")
    jobs.progress("Stage", 0.6, 8.0)
    last = jobs.read()[-1]
    assert last == JobStatus("a", "plan", JobState.CANCELLING, "Stage", 0.6, None)
    assert jobs.cancelling


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_that_is_put_back_is_the_next(cancelled: bool) -> None:
    jobs = Board()
    jobs.add(_plan("a"))
    jobs.add(_plan("b"))
    jobs.start_next()
    if cancelled:
        jobs.cancel("a")
    jobs.put_back()
    assert jobs.start_next() == _plan("b" if cancelled else "a")


def test_all_end_at_once_and_nobody_needs_to_read_it() -> None:
    jobs = Board()
    for name in "ab":
        jobs.add(_plan(name))
    jobs.start_next()
    jobs.end_all()
    assert not jobs.busy and jobs.running is None and not jobs.waits
    assert _said(jobs.read())[-2:] == [("a", "cancelled"), ("b", "cancelled")]
    jobs.end_all()
    assert jobs.read() == []


def test_a_problem_ends_a_job_before_it_begins() -> None:
    jobs = Board()
    jobs.add(_plan("a"), "Too many.")
    assert jobs.read() == [JobStatus("a", "plan", JobState.FAILED, sentence="Too many.")]
    assert not jobs.waits and not jobs.busy


def test_what_has_ended_is_neither_cancelled_nor_told_of() -> None:
    jobs = Board()
    jobs.add(_plan("a"))
    jobs.start_next()
    jobs.end(state=JobState.DONE)
    jobs.read()
    jobs.cancel("a")
    jobs.progress("Stage", 0.5, None)
    jobs.end(state=JobState.FAILED)
    jobs.put_back()
    assert jobs.read() == [] and not jobs.cancelling


def test_news_that_nobody_reads_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "MOST_UNREAD", 3)
    jobs = Board()
    for _ in range(3):
        jobs.tell(Chosen("a", "sfm", ""))
    with pytest.raises(UnreadError):
        jobs.tell(Chosen("a", "sfm", ""))
    jobs.read()
    jobs.tell(Chosen("a", "sfm", ""))
