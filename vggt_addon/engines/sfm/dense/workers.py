"""One task per photo, spread over a few threads.

numpy and OpenCV let go of the interpreter's lock in long calls, so threads do work side by side; OpenCV's own threads
are switched off meanwhile, or they would fight with ours. Imports OpenCV only.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import cv2

from ....progress import Cancel, Progress, check

Item = TypeVar("Item")
Result = TypeVar("Result")

LISTEN_SECONDS = 0.2  # how often the calling thread looks whether a stop was asked for


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """OpenCV works in the calling thread alone; its own number of threads comes back at the end."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def map_photos(
    task: Callable[[Item, Cancel], Result],
    items: Sequence[Item],
    threads: int,
    stage: str,
    progress: Progress,
    cancel: Cancel,
) -> list[Result]:
    """`task(item, cancel)` for all items, results in their order. `progress` is called from the calling thread only.

    Raises Cancelled when asked to stop, or the first failure of a task; in both cases the other tasks have ended.
    """
    stopped = threading.Event()

    def stop() -> bool:
        return stopped.is_set()

    progress(stage, 0.0)
    with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        futures = [pool.submit(task, item, stop) for item in items]
        try:
            _await(futures, stage, progress, cancel)
        except BaseException:
            stopped.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


def _await(futures: Sequence[Future[Result]], stage: str, progress: Progress, cancel: Cancel) -> None:
    waiting = set(futures)
    while waiting:
        check(cancel)
        done, waiting = wait(waiting, timeout=LISTEN_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        if done:
            progress(stage, 1 - len(waiting) / len(futures))
