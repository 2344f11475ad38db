"""The second learned engine: DUSt3R looks at photos in pairs, and global alignment puts the pairs into one world.

Confidence: a pixel's highest c >= 1 over all of its photo's maps, as 1 - 1/c; 0 where depth is unknown or the photo is
transparent. The world is the camera of the first photo that was placed, or of the one that is the reference.
This module imports torch; its neighbours import numpy, OpenCV and Pillow.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ...errors import EngineError
from ...photos.photo import Photo
from ...progress import Cancel, Progress, check, span
from ...reconstruction import Json, Reconstruction
from ...settings import EngineSettings, NetworkSettings
from ..base import EnginePlan
from ..cost import GIGABYTE, finishing_seconds, pictures_seconds, plan_sentence
from ..keep_last import loading_seconds
from ..layers.devices import Device, choose_dtype, find_device, release_memory, torch_threads
from ..layers.work import Speed, known_speed
from ..readable import reference_first, run_on_readable
from ..vggt.framing import Framing
from ..vggt.known_focal import known_focals
from .alignment import Aligned, align
from .cleaning import Raster, cleaned
from .config import FULL
from .few_photos import solve_one, solve_two
from .framing import PATCH, frame_photo, input_long_side, pixel_shape
from .inputs import load_photos
from .load import Loaded, WarmLoader, weights_memory
from .pair_maps import centred_pixels
from .photo_matches import photo_matches
from .plan import Request, fitting_plans, plans
from .run import Answer, run
from .unknowns import Fixed
from .views import Solved, input_focal, make_views

logger = logging.getLogger(__name__)

LoadNetwork = Callable[[NetworkSettings, Device, torch.dtype], Loaded]


@dataclass(frozen=True)
class _Prepared:
    """What is known before the network is loaded."""

    order: tuple[int, ...]  # places in the artist's list, in the network's order: the reference first
    framings: tuple[Framing, ...]  # in the network's order
    device: Device
    request: Request


class Dust3rEngine:
    """See `engines.base.Engine`. Who keeps the engine keeps its last network, too; tests load their own."""

    name = "dust3r"

    def __init__(self, load_network: LoadNetwork | None = None) -> None:
        self._load_network = load_network or WarmLoader()

    def plan(self, photos: Sequence[Photo], settings: EngineSettings, cancel: Cancel) -> EnginePlan:
        """See `engines.base.Engine.plan`. Whether the weights are there is not asked."""
        check(cancel)
        prepared = prepare(photos, settings)
        request, device = prepared.request, prepared.device
        free = request.allowed(device)
        try:
            fitting_plans(request, device)
        except EngineError as error:
            return EnginePlan(error.sentence, None, plans(request, device)[-1].memory, free, False)
        with torch_threads(settings.threads):
            best = fitting_plans(request, device, _speed(request, device))[0]
        check(cancel)
        seconds = (best.seconds or 0.0) + loading_seconds(
            self._load_network, settings.network, device, request.dtype, request.weights_memory
        )
        seconds += pictures_seconds(photos, settings.threads)
        seconds += finishing_seconds(sum(rows * columns for rows, columns in _grids(prepared)))
        sentence = plan_sentence(len(photos), best.memory, free, seconds)
        sentence += f" {request.pairs} comparison{'s' * (request.pairs > 1)} of two photos."
        return EnginePlan(sentence, seconds, best.memory, free, True)

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        """See `engines.base.Engine.reconstruct`. Raises WeightsError where the weights are not there."""

        def run_once(photos: Sequence[Photo], settings: EngineSettings, progress: Progress) -> Reconstruction:
            return self._reconstruct(photos, workspace, settings, progress, cancel)

        return run_on_readable(photos, settings, progress, run_once)

    def _reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        prepared = prepare(photos, settings)
        fitting_plans(prepared.request, prepared.device)  # refuses before anything is loaded
        try:
            with torch_threads(settings.threads):
                return self._run(photos, prepared, workspace, settings, progress, cancel)
        finally:
            release_memory(prepared.device)  # but for a network that is kept warm, the device is others' again

    def _run(
        self,
        photos: Sequence[Photo],
        prepared: _Prepared,
        workspace: Path,
        settings: EngineSettings,
        progress: Progress,
        cancel: Cancel,
    ) -> Reconstruction:
        request, device = prepared.request, prepared.device
        progress("Loading the network", 0.0)
        loaded = self._load_network(settings.network, device, request.dtype)
        fitting = fitting_plans(request, device, _speed(request, device))
        logger.info("plan: %s", fitting[0])
        in_order = [photos[place] for place in prepared.order]
        pixels = load_photos(in_order, prepared.framings, span(progress, 0.02, 0.08), cancel, settings.threads)
        started = time.monotonic()
        part = span(progress, 0.08, 0.8)
        answer = run(
            loaded.network, pixels.inputs, fitting, device, sequence=settings.sequence, progress=part, cancel=cancel
        )
        network_seconds = time.monotonic() - started
        aligned = _solve(answer, in_order, prepared, settings.network, span(progress, 0.8, 0.95), cancel)
        solved = Solved(in_order, prepared.order, prepared.framings, aligned, settings.network.focal)
        made = make_views(solved, pixels, workspace, settings.texture_size, span(progress, 0.95, 0.97), cancel)
        matches = None
        if settings.network.matches and answer.maps is not None:
            views = {view.name: index for index, view in enumerate(made.views)}
            placed = {picture: views[photo.name] for picture, photo in enumerate(in_order) if photo.name in views}
            matches = photo_matches(answer.maps, prepared.framings, placed, span(progress, 0.97, 1.0), cancel)
        progress("Preparing pictures", 1.0)
        report = {"network_seconds": round(network_seconds, 2), **_report(answer, aligned, device)}
        used = replace(settings.network, device=device.device.type, precision=str(request.dtype).removeprefix("torch."))
        return Reconstruction(
            views=made.views,
            engine=self.name,
            weights=loaded.record,
            settings={"engine": self.name, **asdict(replace(settings, network=used))},
            reference=made.reference,
            left_out=made.left_out,
            matches=matches,
            report=report,
        )


def _report(answer: Answer, aligned: Aligned, device: Device) -> dict[str, Json]:
    return {
        "device": device.title,
        "memory_predicted": answer.plan.memory,
        "pairs": len(answer.maps.edges) if answer.maps else 1,
        "alignment_steps": aligned.outcome.steps,
        "alignment_loss": round(aligned.outcome.loss, 6),
    }


def _grids(prepared: _Prepared) -> list[tuple[int, int]]:
    return [framing.grid_shape for framing in prepared.framings]


def _speed(request: Request, device: Device) -> Speed:
    height, width = max(request.sizes, key=lambda size: size[0] * size[1])
    tokens = (height // PATCH) * (width // PATCH)
    return known_speed(device.device, request.dtype, tokens, FULL.encoder.width, FULL.encoder.heads)


def prepare(photos: Sequence[Photo], settings: EngineSettings) -> _Prepared:
    """Device, precision, order and framing. Raises EngineError with a sentence for settings that do not work here."""
    network = settings.network
    long_side = input_long_side(network.input_size, network.framing)
    if network.points_from != "depth":
        raise EngineError("DUSt3R has no point head of its own: choose --points-from depth.")
    limit = round(network.memory_limit * GIGABYTE)
    device = find_device(network.device, limit)
    dtype = choose_dtype(network.precision, device)
    order = reference_first(photos, settings.reference)
    known_focals(network.focal, [photos[place] for place in order])  # refuses what is none
    framings = tuple(frame_photo(photos[place].width, photos[place].height, long_side) for place in order)
    sizes = tuple((framing.input_height, framing.input_width) for framing in framings)
    request = Request(sizes, settings.sequence, dtype, weights_memory(dtype), limit)
    return _Prepared(order, framings, device, request)


def _solve(
    answer: Answer,
    photos: Sequence[Photo],
    prepared: _Prepared,
    settings: NetworkSettings,
    progress: Progress,
    cancel: Cancel,
) -> Aligned:
    """Cameras and depth in input pixels, by the way that so many photos take."""
    progress("Aligning the pairs", 0.0)
    fixed = _fixed(photos, prepared.framings, settings)
    rasters = [
        Raster((framing.input_height, framing.input_width), pixel_shape(framing)) for framing in prepared.framings
    ]
    if answer.alone is not None:
        return solve_one(answer.alone, centred_pixels(rasters[0].size, rasters[0].shape), fixed)
    assert answer.maps is not None  # two photos or more
    aligned = solve_two(answer.maps, fixed) if len(photos) == 2 else None
    if aligned is None:
        cuda = prepared.device.device if prepared.device.device.type == "cuda" else None  # Apple's has no float64
        aligned = align(answer.maps, fixed, progress=progress, cancel=cancel, device=cuda)
    return cleaned(aligned, [rasters[picture] for picture in aligned.pictures]) if settings.clean else aligned


def _fixed(photos: Sequence[Photo], framings: Sequence[Framing], settings: NetworkSettings) -> Fixed:
    """What the artist knows of focal lengths, in input pixels."""
    known = known_focals(settings.focal, photos) or [None] * len(photos)
    focals = {
        picture: input_focal(focal, framings[picture]) for picture, focal in enumerate(known) if focal is not None
    }
    if settings.focal != "shared":
        return Fixed({}, focals)
    lenses = [(photo.lens, photo.width, photo.height) for photo in photos]
    return Fixed({}, focals, [lenses.index(lens) for lens in lenses])
