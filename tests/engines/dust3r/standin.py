"""A DUSt3R that is right: for two photos that say where each of their pixels is, the exact maps in the first's frame.

Built on VGGT's stand-in, which reads from the pixels which photo stands where in the input; so nothing of the engine's
own maps is used here. Every pair has a scale of its own. Imports torch, numpy and the package's projection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.engines.vggt.standin import RECORD, SHOTS, Shot, StandIn
from vggt_addon.engines.dust3r.load import Loaded
from vggt_addon.engines.dust3r.output import EncodedPhotos, PairOutput, PointMap
from vggt_addon.engines.layers.chunks import Chunks, OnStep
from vggt_addon.geometry.projection import transform

STEPS = 3  # of an encoding, and of a decoding
Tamper = Callable[[str, str, Tensor, Tensor], None]
"""(first photo's name, this photo's name, its points (H, W, 3), its confidence (H, W)): may change both."""


def leave(first: str, own: str, points: Tensor, confidence: Tensor) -> None:
    """Nothing is tampered with."""


@dataclass
class PairStandIn:
    """Called as `load.PairNetwork`."""

    folder: Path  # where the shots were written
    shots: Sequence[Shot] = SHOTS
    tamper: Tamper = leave
    pairs: list[tuple[str, str]] = field(default_factory=list)  # names of the photos of the pairs that were asked for
    _seen: list[tuple[Shot, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]] = field(default_factory=list)

    def encode(self, photos: Tensor, chunks: Chunks, on_step: OnStep) -> EncodedPhotos:
        assert photos.dtype == torch.uint8 and photos.ndim == 4 and len(photos) == 1
        assert photos.shape[2] % 16 == photos.shape[3] % 16 == 0
        reader = StandIn(self.folder, self.shots)
        _, _, trust, said = reader._answer(photos[0].permute(1, 2, 0).numpy().astype(np.float64))
        shot = next(shot for shot in self.shots if shot.name == reader.seen[0])
        self._seen.append((shot, np.concatenate([said[..., :3], trust[..., None]], axis=-1)))
        for _ in range(STEPS):
            on_step()
        # What makes photos alike or not: a token that names them, and where it was kept.
        return EncodedPhotos(torch.full((1, 1, 2), float(len(self._seen) - 1)), (1, 1))

    def decode(self, first: EncodedPhotos, second: EncodedPhotos, chunks: Chunks, on_step: OnStep) -> PairOutput:
        (one, _), (other, _) = (self._of(photo) for photo in (first, second))
        scale = 0.5 + ((len(self.pairs) * 0.37) % 1)
        self.pairs.append((one.name, other.name))
        for _ in range(STEPS):
            on_step()
        maps = []
        for shot, said in (self._of(first), self._of(second)):
            points = torch.from_numpy(scale * transform(one.camera_from_world, said[..., :3])).float()
            confidence = torch.from_numpy(said[..., 3]).float()
            self.tamper(one.name, shot.name, points, confidence)
            maps.append(PointMap(points[None], confidence[None]))
        return PairOutput(*maps)

    def _of(self, photo: EncodedPhotos) -> tuple[Shot, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]:
        return self._seen[int(photo.tokens[0, 0, 0])]


def loaded(network: PairStandIn) -> Loaded:
    """As the engine's loader hands it over."""
    return Loaded(network, RECORD)
