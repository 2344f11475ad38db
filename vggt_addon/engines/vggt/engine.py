"""The main engine: one forward pass of VGGT from photos to cameras and depth.

Confidence: the network's own c >= 1 as 1 - 1/c, pixel by pixel, whatever the other photos are; 0 where depth is not
finite or the photo is transparent (see photo_cameras). Points come from depth and cameras, or from the point head where
that is asked for. The first photo is the network's reference frame; another becomes that by being handed over first.
This module imports nothing beyond the standard library; its neighbours import numpy, Pillow and torch.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ...errors import EngineError, PhotoError
from ...photos.photo import Photo
from ...progress import Cancel, Progress, check, span
from ...reconstruction import POINTS_GIVEN, LeftOut, Reconstruction, SolveReport, View
from ...settings import EngineSettings, NetworkSettings
from ..base import EnginePlan
from ..cost import GIGABYTE, finishing_seconds, pictures_seconds, plan_sentence
from ..keep_last import loading_seconds
from ..layers.devices import Device, choose_dtype, find_device, release_memory, torch_threads
from ..layers.work import Speed, known_speed
from ..readable import reference_first, run_on_readable
from ..shown_picture import shown_picture
from .config import FULL
from .framing import MODES, PATCH, Framing, frame_photos
from .known_focal import known_focals
from .load import Loaded, heads_for, weights_memory
from .photo_cameras import PhotoCamera, PhotoCameras, decode, photo_depth
from .plan import Plan, Request, fitting_plans, plans
from .point_cloud import head_points
from .preprocess import LoadedPhotos, load_inputs
from .run import Answer, run
from .warm import WarmLoader

logger = logging.getLogger(__name__)

POINTS_FROM = ("depth", "head")
LoadNetwork = Callable[[NetworkSettings, Device, torch.dtype], Loaded]


@dataclass(frozen=True)
class _Prepared:
    """What is known before the network is loaded."""

    order: tuple[int, ...]  # places in the artist's list, in the network's order
    framings: tuple[Framing, ...]  # in the network's order
    device: Device
    request: Request


class VggtEngine:
    """See `engines.base.Engine`. Who keeps the engine keeps its last network, too; tests load their own."""

    name = "vggt"

    def __init__(self, load_network: LoadNetwork | None = None) -> None:
        self._load_network = load_network or WarmLoader()

    def plan(self, photos: Sequence[Photo], settings: EngineSettings, cancel: Cancel) -> EnginePlan:
        """See `engines.base.Engine.plan`. The device's speed is measured now and then, which takes a second.

        Whether the weights are there is not asked: what a run would take may decide whether to get them.
        """
        check(cancel)
        prepared = prepare(photos, settings)
        request, device = prepared.request, prepared.device
        free = request.allowed(device)
        try:
            fitting_plans(request, device)
        except EngineError as error:
            *_, smallest = plans(request, device)
            return EnginePlan(error.sentence, None, smallest.whole_memory, free, False)
        with torch_threads(settings.threads):
            best = fitting_plans(request, device, _speed(request, device))[0]
        check(cancel)
        seconds = (best.seconds or 0.0) + loading_seconds(
            self._load_network, settings.network, device, request.dtype, request.weights_memory
        )
        seconds += pictures_seconds(photos, settings.threads)
        pixels = sum(framing.grid_shape[0] * framing.grid_shape[1] for framing in prepared.framings)
        seconds += finishing_seconds(pixels)
        sentence = plan_sentence(len(photos), best.whole_memory, free, seconds)
        return EnginePlan(sentence, seconds, best.whole_memory, free, True)

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
        speed = _speed(request, device)
        fitting = fitting_plans(request, device, speed)
        logger.info("plan: %s", fitting[0])
        in_order = [photos[place] for place in prepared.order]
        pixels = load_inputs(in_order, prepared.framings, span(progress, 0.02, 0.08), cancel, settings.threads)
        started = time.monotonic()
        answer = run(loaded.network, pixels.images, fitting, request, device, speed, span(progress, 0.08, 0.95), cancel)
        taken = time.monotonic() - started
        cameras = _cameras(answer, in_order, prepared.framings, settings.network)
        part, longest = span(progress, 0.95, 1.0), settings.texture_size
        views, gone = _views(in_order, prepared, pixels, answer, cameras, workspace, longest, part, cancel)
        made = _reconstruction(views, prepared, cameras, loaded, settings, answer.plan, taken)
        made = made.replace(left_out=(*made.left_out, *gone))
        if "point" not in request.heads:
            return made
        points = head_points(answer, prepared.order, prepared.framings, pixels, cameras, views)
        return made.replace(points=points, report={**made.report, POINTS_GIVEN: len(points.position)})


def _speed(request: Request, device: Device) -> Speed:
    tokens = FULL.special_tokens + (request.size[0] // PATCH) * (request.size[1] // PATCH)
    sizes = FULL.alternating
    return known_speed(device.device, request.dtype, tokens, sizes.width, sizes.heads)


def prepare(photos: Sequence[Photo], settings: EngineSettings) -> _Prepared:
    """Device, precision, order and framing. Raises EngineError with a sentence for settings that do not work here."""
    network = settings.network
    if network.framing not in MODES:
        raise EngineError(f"There is no framing called {network.framing}: choose one of {', '.join(MODES)}.")
    if network.input_size % PATCH or not 10 * PATCH <= network.input_size <= 74 * PATCH:
        raise EngineError(f"--input-size {network.input_size} is not a multiple of {PATCH} from 140 to 1036.")
    if network.points_from not in POINTS_FROM:
        raise EngineError(f"Points come from {' or '.join(POINTS_FROM)}, not from {network.points_from}.")
    heads = heads_for(network.points_from)
    limit = round(network.memory_limit * GIGABYTE)
    device = find_device(network.device, limit)
    dtype = choose_dtype(network.precision, device)
    order = reference_first(photos, settings.reference)
    known_focals(network.focal, [photos[place] for place in order])  # refuses what is none
    sizes = [(photos[place].width, photos[place].height) for place in order]
    framings = tuple(frame_photos(sizes, network.framing, long_side=network.input_size))
    request = Request(
        config=FULL,
        heads=heads,
        photos=len(photos),
        size=(framings[0].input_height, framings[0].input_width),
        dtype=dtype,
        weights_memory=weights_memory(dtype, heads=heads),
        limit=limit,
    )
    return _Prepared(order, framings, device, request)


def _cameras(
    answer: Answer, photos: Sequence[Photo], framings: Sequence[Framing], settings: NetworkSettings
) -> PhotoCameras:
    lenses = [(photo.lens, photo.width, photo.height) for photo in photos]
    return decode(
        answer.pose_encoding,
        framings,
        [photo.name for photo in photos],
        known_focals=known_focals(settings.focal, photos),
        lenses=lenses if settings.focal == "shared" else None,
    )


def _views(
    photos: Sequence[Photo],
    prepared: _Prepared,
    pixels: LoadedPhotos,
    answer: Answer,
    cameras: PhotoCameras,
    workspace: Path,
    longest: int,
    progress: Progress,
    cancel: Cancel,
) -> tuple[dict[int, View], list[LeftOut]]:
    """The views by their place in the artist's list, and the photos that cannot be read any more."""
    views: dict[int, View] = {}
    gone: list[LeftOut] = []
    for number, (photo, framing, camera) in enumerate(zip(photos, prepared.framings, cameras.cameras, strict=True)):
        check(cancel)
        progress("Preparing pictures", number / len(photos))
        if camera is None:
            continue
        depth, confidence = photo_depth(answer.depth[number], answer.confidence[number], framing, pixels.masks[number])
        try:
            shown = shown_picture(photo, workspace / "photos" / f"{number:05d}", longest)
        except PhotoError as error:
            gone.append(LeftOut(photo.name, error.sentence))
            continue
        views[prepared.order[number]] = View(
            name=photo.name,
            identity=photo.identity,
            original=photo.original,
            photo=shown,
            width=photo.width,
            height=photo.height,
            intrinsics=camera.intrinsics,
            camera_from_world=camera.camera_from_world,
            photo_from_grid=framing.photo_from_grid,
            depth=depth,
            confidence=confidence,
            color=pixels.colors[number],
            mask=pixels.masks[number],
            report=_solve_report(photo, camera),
        )
    progress("Preparing pictures", 1.0)
    _check_views(views, gone)
    return views, gone


def _check_views(views: dict[int, View], gone: Sequence[LeftOut]) -> None:
    if gone and not views:
        raise PhotoError(" ".join(photo.reason for photo in gone))
    if not any(bool(view.depth.any()) for view in views.values() if view.depth is not None):
        raise EngineError("VGGT gave no depth for any photo: check the weights, or use --precision float32.")


def _solve_report(photo: Photo, camera: PhotoCamera) -> SolveReport:
    return SolveReport(
        focal_source=camera.focal_source,
        focal_prior=photo.focal_prior.pixels if photo.focal_prior else None,
        focal_uncertain=camera.focal_uncertain,
        pixel_aspect=camera.pixel_aspect,
    )


def _reconstruction(
    views: dict[int, View],
    prepared: _Prepared,
    cameras: PhotoCameras,
    loaded: Loaded,
    settings: EngineSettings,
    plan: Plan,
    taken: float,
) -> Reconstruction:
    placed = sorted(views)
    first = prepared.order[cameras.reference]
    used = replace(
        settings.network, device=prepared.device.device.type, precision=str(plan.dtype).removeprefix("torch.")
    )
    return Reconstruction(
        views=tuple(views[place] for place in placed),
        engine=VggtEngine.name,
        weights=loaded.record,
        settings={"engine": VggtEngine.name, **asdict(replace(settings, network=used))},
        reference=placed.index(first) if first in views else 0,  # its file may have gone in the meantime
        left_out=cameras.left_out,
        warnings=cameras.warnings,
        report={
            "device": prepared.device.title,
            "network_seconds": round(taken, 2),
            "network_seconds_predicted": None if plan.seconds is None else round(plan.seconds, 2),
            "memory_predicted": plan.whole_memory,
            "tokens_at_a_time": plan.chunks.tokens,
        },
    )
