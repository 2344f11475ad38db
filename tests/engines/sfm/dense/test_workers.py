"""Tasks per photo in threads."""

import threading
import time

import cv2
import pytest

from vggt_addon.engines.sfm.dense.workers import map_photos, single_threaded_opencv
from vggt_addon.errors import Cancelled
from vggt_addon.progress import Cancel, check, never, no_progress


def test_results_keep_their_order_and_progress_never_falls() -> None:
    told: list[float] = []
    callers: set[int] = set()

    def progress(stage: str, fraction: float) -> None:
        assert stage == "squares"
        told.append(fraction)
        callers.add(threading.get_ident())

    def square(item: int, cancel: Cancel) -> int:
        time.sleep(0.002 * (5 - item))
        return item * item

    assert map_photos(square, range(5), 2, "squares", progress, never) == [0, 1, 4, 9, 16]
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1
    assert callers == {threading.get_ident()}


def test_no_photos() -> None:
    assert map_photos(lambda item, cancel: item, [], 2, "nothing", no_progress, never) == []


def test_a_failure_stops_the_others() -> None:
    def task(item: int, cancel: Cancel) -> None:
        if item == 0:
            raise ZeroDivisionError
        for _ in range(2000):
            check(cancel)
            time.sleep(0.005)

    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        map_photos(task, range(6), 2, "", no_progress, never)
    assert time.monotonic() - start < 5


def test_cancel_reaches_the_tasks() -> None:
    started = threading.Event()

    def task(item: int, cancel: Cancel) -> None:
        started.set()
        for _ in range(4000):
            check(cancel)
            time.sleep(0.005)

    start = time.monotonic()
    with pytest.raises(Cancelled):
        map_photos(task, range(4), 2, "", no_progress, started.is_set)
    assert time.monotonic() - start < 5


def test_opencv_gets_its_threads_back() -> None:
    before = cv2.getNumThreads()
    with pytest.raises(RuntimeError), single_threaded_opencv():
        assert cv2.getNumThreads() == 1
        raise RuntimeError
    assert cv2.getNumThreads() == before
