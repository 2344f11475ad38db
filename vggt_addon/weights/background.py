"""Work that may block for long, in a thread of its own, so that a cancel is answered at once.

This module imports nothing beyond the standard library.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from ..errors import Cancelled
from ..progress import Cancel, Progress

T = TypeVar("T")
LOOK = 0.05  # seconds between two looks at `cancel`
PATIENCE = 0.5  # seconds that the work gets to notice that it shall end


class Watch:
    """What the work tells and is told."""

    def __init__(self) -> None:
        self.stage, self.fraction = "", 0.0  # see `progress.Progress`
        self.stop = threading.Event()  # set: change nothing more, and end


def in_background(work: Callable[[Watch], T], progress: Progress, cancel: Cancel) -> T:
    """The result of `work`, or what it raises. Raises Cancelled on request, with the thread perhaps still waiting for
    the network; it must look at `stop` before everything that leaves a trace.
    """
    watch = Watch()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(watch))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="download", daemon=True)  # daemon: an exit waits for no network
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOK)
            if watch.stage:
                progress(watch.stage, watch.fraction)
            if cancel():
                raise Cancelled
    finally:
        watch.stop.set()
        thread.join(PATIENCE)
    if failures:
        raise failures[0]
    return results[0]
