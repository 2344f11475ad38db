"""What a run of this engine will take: its steps, each with a rate that was measured.

Rates are processor seconds of one core, measured in November 2026 on the photos of examples/courtyard (10), banana (16)
and fountain_p11 (11); photos with more details take longer, and banana takes nearly twice as long to compare as the
others, so that a prediction is good to a factor of 1.5. What nobody can know before is whether the first attempt at the
cameras places all photos (see `ladder`): the plan takes that it does, and its sentence says what a second one costs.
This module imports nothing beyond the standard library; its neighbours import numpy and Pillow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import EngineError
from ...geometry.raster import fit_raster
from ...photos.photo import Photo
from ...photos.strips import open_at_once
from ...settings import EngineSettings
from ..base import EnginePlan
from ..cost import GIGABYTE, cores, duration, finishing_seconds, pace, photos_at_once, pictures_seconds, plan_sentence
from ..layers.main_memory import free_memory
from .ladder import Attempt, attempts
from .pairing import pairs_in_time

DETAILS = {"plain": 1.75e-6, "affine": 3.2e-6}  # a pixel of the working copies: finding details
PAIR = 0.19  # two photos compared, whatever their size: COLMAP keeps as many details of each
PLACING = 0.4  # a photo placed, on one core whatever there is (see colmap_process.MAPPER_THREADS)
UNDISTORTING = 0.04e-6  # a pixel of the photos, beside decoding and copying
DENSE = 10.6e-6  # a pixel of the depth maps
SIDE_BY_SIDE = 0.9  # share of the cores that are busy on average, by their number on the machine measured on: two

# Bytes, of resident memory.
PROCESS = 140e6  # this process with its libraries; the solver's takes as much
PICTURE_AT_WORK = 10.0  # a pixel of a photo, for each that is open at once: read, straightened and written again
DETAILS_AT_WORK = 230.0  # a pixel of a working copy, for each photo that is worked on
DENSE_KEPT = 40.0  # a pixel of the depth maps
DENSE_AT_WORK = 256.0  # a pixel of a depth map, for each photo that is worked on
FINISHING = 115.0  # a pixel of the depth maps: they and all that may become points


@dataclass(frozen=True)
class Cost:
    """A prediction."""

    seconds: float  # if the first attempt places all photos
    seconds_more: float  # that a second attempt with other details would add; 0 where there is none
    memory: float  # bytes at the peak of both processes


def cost(photos: Sequence[Photo], settings: EngineSettings) -> Cost:
    """What these photos will take, on this machine's cores."""
    at_once = cores(settings.threads)
    shared, photo_shared = _shared(at_once), _shared(photos_at_once(settings.threads))
    grids = [fit_raster(photo.width, photo.height, settings.depth_size) for photo in photos]
    pixels = [grid.width * grid.height for grid in grids]
    first, *others = attempts(len(photos))
    seconds = _cameras(first, photos, settings, shared)
    seconds += pictures_seconds(photos, settings.threads)  # once for the working copies, once for what is shown
    seconds += pictures_seconds(photos, settings.threads) + _area(photos) * UNDISTORTING * photo_shared
    seconds += sum(pixels) * DENSE * photo_shared + finishing_seconds(sum(pixels))
    second = next((other for other in others if other.features_key != first.features_key), None)
    more = _cameras(second, photos, settings, shared) if second else 0.0
    sizes = _copy_sizes(second or first, photos)
    finding = 2 * PROCESS + DETAILS_AT_WORK * sum(sorted(sizes)[-at_once:])
    open_now = open_at_once(photos, settings.threads)
    pictures = PROCESS + PICTURE_AT_WORK * sum(sorted(photo.width * photo.height for photo in photos)[-open_now:])
    measuring = PROCESS + DENSE_KEPT * sum(pixels)
    measuring += DENSE_AT_WORK * sum(sorted(pixels)[-photos_at_once(settings.threads) :])
    return Cost(seconds, more, max(finding, pictures, measuring, PROCESS + FINISHING * sum(pixels)))


def make_plan(photos: Sequence[Photo], settings: EngineSettings) -> EnginePlan:
    """See `engines.base.Engine.plan`."""
    predicted = cost(photos, settings)
    try:
        free = free_memory()
    except EngineError:  # a system that does not tell
        free = None
    count, memory = len(photos), round(predicted.memory)
    if free is not None and memory > free:
        sentence = (
            f"{count} photos need about {memory / GIGABYTE:.1f} GB of memory, of which {free / GIGABYTE:.1f} GB are "
            "free: close other programs, or use fewer photos, fewer --threads or a smaller --depth-size."
        )
        return EnginePlan(sentence, None, memory, free, False)
    sentence = plan_sentence(count, memory, free, predicted.seconds)
    if predicted.seconds_more:
        most = predicted.seconds + predicted.seconds_more
        sentence += f" Up to {duration(most)} where some are hard to place."
    return EnginePlan(sentence, predicted.seconds, memory, free, True)


def _shared(at_once: int) -> float:
    """Seconds by the clock for a processor second of a rate, where so many cores share the work."""
    return pace() / (1.0 if at_once == 1 else at_once * SIDE_BY_SIDE)


def _cameras(attempt: Attempt, photos: Sequence[Photo], settings: EngineSettings, shared: float) -> float:
    """One attempt at the cameras, its details found and compared anew."""
    count = len(photos)
    pairs = len(pairs_in_time([f"/{number:07d}" for number in range(count)])) if settings.sequence else 0
    pairs = pairs or count * (count - 1) // 2
    details = sum(_copy_sizes(attempt, photos)) * DETAILS[attempt.features]
    return (details + pairs * PAIR) * shared + count * PLACING * pace()


def _copy_sizes(attempt: Attempt, photos: Sequence[Photo]) -> list[int]:
    rasters = [fit_raster(photo.width, photo.height, attempt.copy_size) for photo in photos]
    return [raster.width * raster.height for raster in rasters]


def _area(photos: Sequence[Photo]) -> int:
    return sum(photo.width * photo.height for photo in photos)
