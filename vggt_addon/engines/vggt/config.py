"""The sizes of a VGGT network. The defaults are those of the published one, with 1.26 billion parameters.

This module imports nothing beyond the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class EncoderConfig:
    """The image encoder: DINOv2, ViT-L with registers."""

    width: int = 1024
    blocks: int = 24
    heads: int = 16
    registers: int = 4  # learned tokens, dropped at the encoder's end
    position_table: int = 37  # side of the trained grid of positions, in patches (518 / 14)


@dataclass(frozen=True)
class AlternatingConfig:
    """Alternating attention: pairs of a block within each frame and a block over all frames."""

    width: int = 1024
    pairs: int = 24
    heads: int = 16
    registers: int = 4  # learned tokens beside the camera token of each frame


@dataclass(frozen=True)
class CameraHeadConfig:
    """The camera head; its width is that of the outputs."""

    blocks: int = 4
    heads: int = 16
    iterations: int = 4
    hidden: int = 1024  # between the two last linear layers


@dataclass(frozen=True)
class DenseHeadConfig:
    """The DPT heads of depth, points and track features."""

    projections: tuple[int, int, int, int] = (256, 512, 1024, 1024)  # channels of the four reassembled maps, fine first
    features: int = 256  # channels of the fusion


@dataclass(frozen=True)
class TrackerConfig:
    """The tracker. It has as many time blocks as space blocks of each kind."""

    features: int = 128  # channels of the feature map and of a track's feature
    pyramid_levels: int = 7
    radius: int = 4  # correlations are looked up in a square of 2 · radius + 1 on each level
    width: int = 384
    heads: int = 8
    time_blocks: int = 6
    space_blocks: int = 6
    virtual_tracks: int = 64
    flow_embedding: int = 64  # values that embed one axis of a track's displacement

    def __post_init__(self) -> None:
        if self.time_blocks != self.space_blocks:
            raise ValueError("the tracker takes its time blocks and its space blocks in turns: as many of each")


@dataclass(frozen=True)
class VggtConfig:
    """The whole network. Widths are in channels."""

    patch: int = 14  # pixels: side of a square patch
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    alternating: AlternatingConfig = field(default_factory=AlternatingConfig)
    outputs: tuple[int, int, int, int] = (
        4,
        11,
        17,
        23,
    )  # the pairs whose outputs the heads read, from 0; the camera head reads the last
    camera_head: CameraHeadConfig = field(default_factory=CameraHeadConfig)
    dense_head: DenseHeadConfig = field(default_factory=DenseHeadConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)

    @property
    def special_tokens(self) -> int:
        """Tokens of a frame before its patches: one for the camera, then the registers."""
        return 1 + self.alternating.registers

    @property
    def output_width(self) -> int:
        """Channels of an output: frame block and global block side by side."""
        return 2 * self.alternating.width

    @classmethod
    def reduced(cls, sizes: Mapping[str, Any]) -> "VggtConfig":
        """The configuration that a golden file's `reduced` record describes. Raises KeyError or
        TypeError where its entries are not those that are expected."""
        encoder, alternating, camera = sizes["encoder"], sizes["alternating"], sizes["camera_head"]
        dense, tracker = sizes["dense_head"], sizes["tracker"]
        return cls(
            patch=sizes["patch"],
            encoder=EncoderConfig(position_table=sizes["image_table"], **encoder),
            alternating=AlternatingConfig(**alternating),
            outputs=tuple(sizes["outputs"]),
            camera_head=CameraHeadConfig(**{name: size for name, size in camera.items() if name != "width"}),
            dense_head=DenseHeadConfig(tuple(dense["projections"]), dense["features"]),
            tracker=TrackerConfig(
                **{name: size for name, size in tracker.items() if name != "flow_embedding_per_axis"},
                flow_embedding=tracker["flow_embedding_per_axis"],
            ),
        )


FULL = VggtConfig()
