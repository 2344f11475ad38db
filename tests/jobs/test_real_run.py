"""The runner with the real worker and real photos."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vggt_addon.jobs.board import Update
from vggt_addon.jobs.protocol import Chosen, Hello, Plan, Probe, ProbedPhoto, Run
from vggt_addon.jobs.runner import JobRunner, JobState, JobStatus
from vggt_addon.reconstruction import Reconstruction
from vggt_addon.settings import RunSettings

Until = Callable[..., list[Update]]
Ends = Callable[[list[Update]], list[JobStatus]]
STAGES = ("Starting", "Finding details", "Comparing photos", "Placing cameras", "Measuring depth")


def test_photos_to_a_capture_twice_with_one_worker(
    real_runner: JobRunner,
    until: Until,
    ends: Ends,
    photos: tuple[str, ...],
    settings: RunSettings,
    folder: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "second").mkdir()
    real_runner.submit(Probe("probe", folder, photos))
    real_runner.submit(Plan("plan", photos, settings))
    real_runner.submit(Run("run", folder, photos, settings))
    real_runner.submit(Run("again", str(tmp_path / "second"), photos, settings))
    told = until(real_runner)
    assert [(end.job, end.state, end.fraction) for end in ends(told)] == [
        (job, JobState.DONE, 1.0) for job in ("probe", "plan", "run", "again")
    ]
    assert len([news for news in told if isinstance(news, Hello)]) == 1
    assert len([news for news in told if isinstance(news, ProbedPhoto)]) == 3
    first, second = (Reconstruction.load(end.result) for end in ends(told) if end.result is not None)
    assert [view.name for view in first.views] == ["1.jpg", "2.jpg", "3.jpg"]
    for one, other in zip(first.views, second.views, strict=True):
        assert (one.camera_from_world == other.camera_from_world).all()


@pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX process groups")
@pytest.mark.parametrize("stage", STAGES)
def test_cancel_in_every_stage(
    stage: str,
    real_runner: JobRunner,
    until: Until,
    ends: Ends,
    photos: tuple[str, ...],
    settings: RunSettings,
    folder: str,
    group_members: Callable[[int], list[int]],
) -> None:
    real_runner.submit(Run("run", folder, photos, settings))
    order = STAGES.index(stage)

    def reached(news: Update) -> bool:
        return isinstance(news, JobStatus) and (news.state.ended or news.stage in STAGES[order:])

    told = until(real_runner, reached)
    if ends(told):
        pytest.skip("the run was over before it was seen in this stage")
    started = time.monotonic()
    real_runner.cancel("run")
    (end,) = ends(until(real_runner))
    assert time.monotonic() - started < 2.5
    assert end.state is JobState.CANCELLED
    assert not list(Path(folder).iterdir())
    if real_runner.hello is not None:
        worker = real_runner.hello.process
        assert group_members(worker) == [worker], "more than the warm worker is left"
    real_runner.submit(Run("next", folder, photos, settings))
    told = until(real_runner)
    assert ends(told)[0].state is JobState.DONE
    assert Chosen("next", "sfm", "as asked for") in told
