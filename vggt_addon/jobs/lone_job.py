"""One job in a worker of its own, which others need not wait for: a download beside reconstructions.

    task = LoneJob(worker_launch(python, 1.0, log), GetWeights(...))
    task.status()                                      # from a timer, until its state has ended

This module imports nothing beyond the standard library.
"""

from .launch import Launch
from .protocol import Job
from .runner import JobRunner
from .status import JobStatus


class LoneJob:
    """The job, from now on. For use by one thread, Blender's main one.

    The worker leaves by itself once it has nothing to do: its launch says how soon.
    """

    def __init__(self, launch: Launch, request: Job) -> None:
        self._runner = JobRunner(launch)
        self._job = request.job
        self._runner.submit(request)
        self._status = self._newest()

    def status(self) -> JobStatus:
        """How it stands; the last word once its state has ended."""
        if not self._status.state.ended:
            self._status = self._newest()
        return self._status

    def cancel(self) -> None:
        """Ask it to stop; it ends within 2.5 seconds."""
        self._runner.cancel(self._job)

    def stop(self) -> None:
        """Cancel, and wait until no process is left: for when Blender quits."""
        self._runner.stop()

    def _newest(self) -> JobStatus:
        news = [update for update in self._runner.updates() if isinstance(update, JobStatus)]
        return news[-1] if news else self._status
