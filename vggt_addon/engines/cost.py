"""What the plans of all engines share: how quick this machine is, what pictures and the finish cost, and the sentence.

Rates are processor seconds on one core of the machine on which they were measured (AMD EPYC, two cores, 2026-11, the
example sets and figures in docs/benchmarks.md); `pace` carries them over to this one.
This module imports nothing beyond the standard library and numpy; its neighbours import Pillow.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from ..photos.photo import Photo
from ..photos.strips import open_at_once

GIGABYTE = 1e9
READING = 0.001e-6  # a pixel of the photos: hash and header; disks that are slower than that are not known of
DECODING = 0.02e-6  # a pixel of the photos: decoding and making it small
COPYING = 0.03e-6  # a pixel of the photos that Blender cannot show as they are: writing an upright copy
FINISHING = 1.4e-6  # a pixel of the depth maps, by the clock: reliefs, points, upright; numpy uses its own threads
_REFERENCE = (0.0031, 0.00124)  # seconds that the two pieces of `_work` took there
_MEASURED_SECONDS = 0.05  # how long each piece is tried; its quickest counts, since others may be at work


def cores(threads: int = 0) -> int:
    """How many cores a run may use."""
    return max(1, min(threads or 10**6, os.cpu_count() or 1))


def photos_at_once(threads: int = 0) -> int:
    """How many photos are worked on side by side, where each takes memory: see photos.strips.threads."""
    return min(cores(threads), threads or 8)


@cache
def pace() -> float:
    """How many times as long as where the rates were measured one core takes here. Measured once, in 0.1 s."""
    ratios = []
    for piece, reference in zip(_work(), _REFERENCE, strict=True):
        quickest, end = float("inf"), time.perf_counter() + _MEASURED_SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            piece()
            quickest = min(quickest, time.perf_counter() - start)
        ratios.append(quickest / reference)
    return float(np.sqrt(ratios[0] * ratios[1]))


def pictures_seconds(photos: Sequence[Photo], threads: int = 0) -> float:
    """How long it takes to read the photos, and to write copies of those that Blender cannot show."""
    seconds = 0.0
    for photo in photos:
        seconds += photo.width * photo.height * (READING + DECODING + (0.0 if photo.shown_as_is else COPYING))
    return seconds * pace() / min(cores(threads), open_at_once(photos, threads))


def finishing_seconds(pixels: int) -> float:
    """How long postprocessing takes for depth maps of so many pixels in all."""
    return pixels * FINISHING * pace()


def plan_sentence(photos: int, memory: float, memory_free: float | None, seconds: float | None) -> str:
    """For the artist, before the run: "24 photos: about 5.0 GB of 8.0 GB, 40 s." Bytes and seconds, where known."""
    parts = f"{photos} photo{'s' * (photos != 1)}: about {memory / GIGABYTE:.1f} GB"
    if memory_free is not None:
        parts += f" of {memory_free / GIGABYTE:.1f} GB"
    return f"{parts}." if seconds is None else f"{parts}, {duration(seconds)}."


def duration(seconds: float) -> str:
    """Rounded as a person would say it."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5
        return f"{max(round(seconds / step) * step, 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _work() -> tuple[Callable[[], None], ...]:
    """Two small pieces of what dense depth does: with 32-bit floats, and with 16-bit integers in the cache."""
    grey = np.linspace(0, 1, 384 * 512, dtype=np.float32).reshape(384, 512)
    costs = np.random.default_rng(0).integers(0, 2000, (64, 48, 256)).astype(np.uint16)

    def floats() -> None:
        values = grey
        for _ in range(20):
            root = np.sqrt(values * values + np.float32(0.5))
            values = np.maximum(root, values) * np.float32(0.5)

    def integers() -> None:
        path = costs[0]
        for row in costs[1:]:
            least = path.min(axis=0, keepdims=True)
            path = np.minimum(path, least + np.uint16(200))
            path = np.minimum(path, np.roll(path, 1, 0) + np.uint16(20)) - least + row

    return floats, integers
