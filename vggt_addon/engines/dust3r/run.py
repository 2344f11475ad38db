"""Photos through the network: each encoded once, then every directed pair decoded, within a plan.

This module imports torch and numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...progress import Cancel, Progress, check, span
from ..layers.chunks import OnStep
from ..layers.devices import Device
from ..layers.first_that_fits import first_that_fits
from .config import FULL
from .load import PairNetwork
from .output import EncodedPhotos, PairOutput, PointMap
from .pair_maps import PairMaps
from .pairs import choose_pairs
from .plan import Plan
from .work import decoding, encoding, steps_of_pair


@dataclass(frozen=True)
class Inputs:
    """n photos as the network sees them."""

    images: tuple[NDArray[np.uint8], ...]  # n times (H, W, 3), sides multiples of the patch
    shown: tuple[NDArray[np.bool_], ...]  # n times (H, W): where there is photo, not padding or transparency
    shapes: tuple[tuple[float, float], ...]  # n times width, height of a pixel; see framing.pixel_shape

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """H, W of each."""
        return [(image.shape[0], image.shape[1]) for image in self.images]


@dataclass(frozen=True)
class Answer:
    """What the network said, in main memory. Where no photo is shown, confidence is 1: nothing."""

    maps: PairMaps | None  # None of a single photo
    alone: PointMap | None  # (H, W, ...): a single photo, paired with itself
    plan: Plan  # that was run in the end


def run(
    network: PairNetwork,
    inputs: Inputs,
    plans: Sequence[Plan],
    device: Device,
    *,
    sequence: bool,
    progress: Progress,
    cancel: Cancel,
) -> Answer:
    """All pairs, by the first of `plans` that memory allows.

    Raises EngineError with a sentence where even the last one runs out of memory, Cancelled on request.
    """

    def attempt(plan: Plan, progress: Progress) -> Answer:
        return _Pass(network, inputs, plan, device, progress, cancel).answer(sequence)

    return first_that_fits(plans, attempt, device, len(inputs.images), progress)


class _Pass:
    """One try."""

    def __init__(
        self,
        network: PairNetwork,
        inputs: Inputs,
        plan: Plan,
        device: Device,
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        self.network, self.inputs, self.plan, self.device = network, inputs, plan, device
        self.progress, self.cancel = progress, cancel
        self._shown = [torch.from_numpy(shown) for shown in inputs.shown]

    def answer(self, sequence: bool) -> Answer:
        sizes, count = self.inputs.sizes, len(self.inputs.images)
        works = [encoding(FULL, size).operations for size in sizes]
        estimate = sum(decoding(FULL, size, size).operations for size in sizes) * max(1, count - 1)
        share = sum(works) / (sum(works) + estimate)
        encoded = []
        for photo in range(count):
            check(self.cancel)
            self.progress("Looking at each photo", share * photo / count)
            encoded.append(self._encode(photo))
        if count == 1:
            said = self._decode(encoded, (0, 0), span(self.progress, share, 1.0))
            return Answer(None, self._map(said.first, 0), self.plan)
        edges = choose_pairs(count, sequence=sequence, similarity=lambda: similarity(encoded))
        maps = PairMaps.empty(edges, sizes, shapes=self.inputs.shapes)
        for number, edge in enumerate(edges):
            start, end = (share + (1 - share) * done / len(edges) for done in (number, number + 1))
            said = self._decode(encoded, edge, span(self.progress, start, end))
            for side, picture in enumerate(edge):
                one = self._map((said.first, said.second)[side], picture)
                maps.put(number, side, one.points, one.confidence)
        return Answer(maps, None, self.plan)

    def _encode(self, photo: int) -> EncodedPhotos:
        image = torch.from_numpy(self.inputs.images[photo]).permute(2, 0, 1)[None].to(self.device.device)
        return self.network.encode(image, self.plan.chunks, lambda: check(self.cancel))

    def _decode(self, encoded: Sequence[EncodedPhotos], edge: tuple[int, int], progress: Progress) -> PairOutput:
        i, j = edge
        steps = steps_of_pair(FULL, self.inputs.sizes[i], self.inputs.sizes[j], self.plan.chunks)
        on_step = _count(steps, progress, self.cancel)
        return self.network.decode(encoded[i], encoded[j], self.plan.chunks, on_step)

    def _map(self, said: PointMap, picture: int) -> PointMap:
        """One photo's, in main memory."""
        points, confidence = said.points[0].float().cpu(), said.confidence[0].float().cpu()
        return PointMap(points, torch.where(self._shown[picture], confidence, 1.0))


def _count(steps: int, progress: Progress, cancel: Cancel) -> OnStep:
    done = 0

    def on_step() -> None:
        nonlocal done
        check(cancel)
        done += 1
        progress("Comparing photos in pairs", min(done / steps, 1.0))

    return on_step


def similarity(encoded: Sequence[EncodedPhotos]) -> NDArray[np.float64]:
    """(n, n): the cosine between photos' mean tokens, from which what all photos share is taken away."""
    means = torch.stack([photo.tokens[0].float().mean(dim=0) for photo in encoded]).cpu().double()
    means = means - means.mean(dim=0)
    unit: Tensor = means / means.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return np.asarray((unit @ unit.T).numpy(), np.float64)
