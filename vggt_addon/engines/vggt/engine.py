"""The main engine: one forward pass of VGGT from photos to cameras and depth.

Confidence: the network's own c >= 1 as 1 - 1/c, pixel by pixel, whatever the other photos are; 0 where depth is not
finite or the photo is transparent (see photo_cameras). Points come from depth and cameras. The first photo is the
network's reference frame; another becomes that by being handed over first.
This module imports nothing beyond the standard library; its neighbours import numpy, Pillow and torch.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ...errors import EngineError
from ...photos.photo import Photo
from ...photos.read import decode as read_pixels
from ...photos.upright_copy import write_upright_copy
from ...progress import Cancel, Progress, check, span
from ...reconstruction import Reconstruction, SolveReport, View
from ...settings import EngineSettings, NetworkSettings
from ..layers.devices import Device, choose_dtype, find_device
from ..layers.work import measure_speed
from .config import FULL
from .framing import MODES, PATCH, Framing, frame_photos
from .load import HEADS, Loaded, find_weights, load, weights_memory
from .photo_cameras import PhotoCameras, decode, photo_depth
from .plan import GIGABYTE, Plan, Request, fitting_plans
from .preprocess import LoadedPhotos, load_inputs
from .run import Answer, run

logger = logging.getLogger(__name__)

FOCALS = ("network", "shared", "exif")
LoadNetwork = Callable[[NetworkSettings, Device, torch.dtype], Loaded]


def load_from_store(settings: NetworkSettings, device: Device, dtype: torch.dtype) -> Loaded:
    """The network with the weights that the settings name."""
    return load(find_weights(settings.weights, settings.weights_folder, dtype), device, dtype)


@dataclass(frozen=True)
class _Prepared:
    """What is known before the network is loaded."""

    order: tuple[int, ...]  # places in the artist's list, in the network's order
    framings: tuple[Framing, ...]  # in the network's order
    device: Device
    request: Request


class VggtEngine:
    """See `engines.base.Engine`. `load_network` is there for tests, which have networks of their own."""

    name = "vggt"

    def __init__(self, load_network: LoadNetwork = load_from_store) -> None:
        self._load_network = load_network

    def reconstruct(
        self, photos: Sequence[Photo], workspace: Path, settings: EngineSettings, progress: Progress, cancel: Cancel
    ) -> Reconstruction:
        """See `engines.base.Engine.reconstruct`. Raises WeightsError where the weights are not there."""
        prepared = prepare(photos, settings)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        request, device = prepared.request, prepared.device
        fitting_plans(request, device)  # refuses before anything is loaded, which on a GPU would run out of memory
        progress("Loading the network", 0.0)
        loaded = self._load_network(settings.network, device, request.dtype)
        tokens = FULL.special_tokens + (request.size[0] // PATCH) * (request.size[1] // PATCH)
        sizes = FULL.alternating
        speed = measure_speed(device.device, request.dtype, tokens, sizes.width, sizes.heads)
        plans = fitting_plans(request, device, speed)
        logger.info("plan: %s %s", plans[0].sentence, plans[0])
        in_order = [photos[place] for place in prepared.order]
        pixels = load_inputs(in_order, prepared.framings, span(progress, 0.02, 0.08), cancel, settings.threads)
        started = time.monotonic()
        answer = run(loaded.network, pixels.images, plans, request, device, speed, span(progress, 0.08, 0.95), cancel)
        taken = time.monotonic() - started
        cameras = _cameras(answer, in_order, prepared.framings, settings.network)
        views = _views(in_order, prepared, pixels, answer, cameras, workspace, span(progress, 0.95, 1.0), cancel)
        return _reconstruction(views, prepared, cameras, loaded, settings, answer.plan, taken)


def prepare(photos: Sequence[Photo], settings: EngineSettings) -> _Prepared:
    """Device, precision, order and framing. Raises EngineError with a sentence for settings that do not work here."""
    network = settings.network
    if network.framing not in MODES:
        raise EngineError(f"There is no framing called {network.framing}: choose one of {', '.join(MODES)}.")
    if network.input_size % PATCH or not 10 * PATCH <= network.input_size <= 74 * PATCH:
        raise EngineError(f"--input-size {network.input_size} is not a multiple of {PATCH} from 140 to 1036.")
    if network.focal not in FOCALS:
        raise EngineError(f"There is no focal called {network.focal}: choose one of {', '.join(FOCALS)}.")
    limit = round(network.memory_limit * GIGABYTE)
    device = find_device(network.device, limit)
    dtype = choose_dtype(network.precision, device)
    order = _order([photo.name for photo in photos], network.reference)
    sizes = [(photos[place].width, photos[place].height) for place in order]
    framings = tuple(frame_photos(sizes, network.framing, long_side=network.input_size))
    request = Request(
        config=FULL,
        heads=HEADS,
        photos=len(photos),
        size=(framings[0].input_height, framings[0].input_width),
        dtype=dtype,
        weights_memory=weights_memory(dtype),
        limit=limit,
    )
    return _Prepared(order, framings, device, request)


def _order(names: Sequence[str], reference: str) -> tuple[int, ...]:
    """The reference first, the others as they are."""
    if not reference:
        return tuple(range(len(names)))
    if reference not in names:
        raise EngineError(f"The reference {reference} is not among the photos: give the file name of one of them.")
    first = names.index(reference)
    return (first, *(place for place in range(len(names)) if place != first))


def _cameras(
    answer: Answer, photos: Sequence[Photo], framings: Sequence[Framing], settings: NetworkSettings
) -> PhotoCameras:
    known = [photo.focal_prior.pixels if photo.focal_prior else None for photo in photos]
    lenses = [(photo.lens, photo.width, photo.height) for photo in photos]
    return decode(
        answer.pose_encoding,
        framings,
        [photo.name for photo in photos],
        known_focals=known if settings.focal == "exif" else None,
        lenses=lenses if settings.focal == "shared" else None,
    )


def _views(
    photos: Sequence[Photo],
    prepared: _Prepared,
    pixels: LoadedPhotos,
    answer: Answer,
    cameras: PhotoCameras,
    workspace: Path,
    progress: Progress,
    cancel: Cancel,
) -> dict[int, View]:
    """The views by their place in the artist's list."""
    views = {}
    for number, (photo, framing, camera) in enumerate(zip(photos, prepared.framings, cameras.cameras, strict=True)):
        check(cancel)
        progress("Preparing pictures", number / len(photos))
        if camera is None:
            continue
        depth, confidence = photo_depth(answer.depth[number], answer.confidence[number], framing, pixels.opaque[number])
        shown = photo.path
        if not photo.shown_as_is:
            shown = write_upright_copy(read_pixels(photo), photo.name, workspace / "photos" / f"{number:05d}")
        views[prepared.order[number]] = View(
            name=photo.name,
            identity=photo.sha256,
            original=photo.path,
            photo=shown,
            width=photo.width,
            height=photo.height,
            intrinsics=camera.intrinsics,
            camera_from_world=camera.camera_from_world,
            photo_from_grid=framing.photo_from_grid,
            depth=depth,
            confidence=confidence,
            color=pixels.colors[number],
            report=SolveReport(
                focal_source=camera.focal_source,
                focal_prior=photo.focal_prior.pixels if photo.focal_prior else None,
                focal_uncertain=camera.focal_uncertain,
                pixel_aspect=camera.pixel_aspect,
            ),
        )
    progress("Preparing pictures", 1.0)
    if not any(bool(view.depth.any()) for view in views.values() if view.depth is not None):
        raise EngineError("VGGT gave no depth for any photo: check the weights, or use --precision float32.")
    return views


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
        reference=placed.index(first),
        left_out=cameras.left_out,
        warnings=cameras.warnings,
        report={
            "device": prepared.device.title,
            "network_seconds": round(taken, 2),
            "network_seconds_predicted": None if plan.seconds is None else round(plan.seconds, 2),
            "memory_predicted": plan.weights_memory + plan.memory,
            "tokens_at_a_time": plan.chunks.tokens,
        },
    )
