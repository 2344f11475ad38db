"""A frame's colours, way up and shape, against the picture that the clip was made of."""

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vggt_addon.photos.clip_picture import UprightPictures, grey_pixels
from vggt_addon.photos.clip_reader import first_frame, probe_clip

EXACT = 3  # of 255
HD = (1280, 720)


def _shown(path: Path) -> NDArray[np.uint8]:
    _, frame = first_frame(path)
    return UprightPictures(probe_clip(path)).pixels(frame)


def _off(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> int:
    """The largest difference in the middle of the bars; chroma is stored at half the size and blurs their borders."""
    height, width = truth.shape[:2]
    columns = width * (2 * np.arange(8) + 1) // 16
    difference = picture[height // 2, columns].astype(int) - truth[height // 2, columns]
    return int(np.abs(difference).max())


@pytest.mark.parametrize("size", [(320, 240), HD])
@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range_are_honoured(
    size: tuple[int, int], matrix: int, full: bool, clips: ModuleType, tmp_path: Path
) -> None:
    truth = clips.bars(*size)
    path = clips.write_clip(tmp_path / "a.mp4", [truth] * 2, matrix=matrix, full=full)
    assert _off(_shown(path), truth) <= EXACT


@pytest.mark.parametrize(("size", "matrix"), [((320, 240), 6), (HD, 1)])
def test_an_untagged_clip_is_taken_for_what_its_size_says(
    size: tuple[int, int], matrix: int, clips: ModuleType, tmp_path: Path
) -> None:
    truth = clips.bars(*size)
    path = clips.write_clip(tmp_path / "a.mp4", [truth] * 2, matrix=matrix, tagged=False)
    assert _off(_shown(path), truth) <= EXACT
    other = clips.write_clip(tmp_path / "b.mp4", [truth] * 2, matrix=7 - matrix, tagged=False)
    assert _off(_shown(other), truth) > 10, "the two matrices do differ"


@pytest.mark.parametrize("size", [(160, 120), (320, 240)])
@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((-1, 0, 0, -1), lambda picture: picture[::-1, ::-1]),
        ((1, 0, 0, -1), lambda picture: picture[::-1]),
        ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
        ((0, -1, -1, 0), lambda picture: np.rot90(picture, -1)[::-1]),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture)),
    ],
    ids=["mirrored", "half turn", "upside down", "transposed", "right", "transversed", "left"],
)
def test_turned_clips_are_upright(
    matrix: tuple[int, int, int, int], turn: Any, size: tuple[int, int], clips: ModuleType, tmp_path: Path
) -> None:
    picture = clips.corners(*size)
    path = clips.write_clip(tmp_path / "a.mp4", [picture] * 2)
    clips.set_display_matrix(path, matrix)
    shown = _shown(path)
    assert shown.shape == turn(picture).shape and shown.flags.c_contiguous
    assert np.abs(shown.astype(int) - turn(picture)).mean() < EXACT


def test_wide_pixels_become_square(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", [clips.bars()] * 2, pixel=Fraction(2))
    shown = _shown(path)
    assert shown.shape == (240, 640, 3)
    assert _off(shown, clips.bars(640, 240)) <= EXACT


@pytest.mark.parametrize(
    ("transfer", "white"), [(18, 0.75), (16, 0.5807)], ids=["HLG", "PQ"]
)  # ITU-R BT.2408, table 1: the signal of reference white, 203 cd/m2
def test_hdr_is_brought_to_srgb(transfer: int, white: float, clips: ModuleType, tmp_path: Path) -> None:
    """Black stays black, reference white becomes white, and half its light is what sRGB calls half of white's light."""
    path = tmp_path / "a.mkv"
    levels = [0.0, _signal(transfer, 0.25), _signal(transfer, 0.5), white]
    _write_hdr(path, transfer, levels)
    assert probe_clip(path).hdr == {18: "HLG", 16: "PQ"}[transfer]
    shown = _shown(path)
    greys = shown[60, [20, 60, 100, 140]].astype(int)
    assert greys[0].max() <= 2 and greys[3].min() >= 250
    assert (np.diff(greys[:, 0]) > 20).all() and np.ptp(greys, axis=1).max() <= 3, "rising, and grey"
    half = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert abs(greys[2, 1] / 255 - half) < 0.08


def _signal(transfer: int, light: float) -> float:
    """The signal for `light` times reference white: ITU-R BT.2100, HLG's OETF with its system gamma, or PQ's inverse
    EOTF."""
    if transfer == 18:
        scene = light ** (1 / 1.2) * 0.265  # 0.75 is the signal of 0.265 of the scene's peak
        return (
            float(np.sqrt(3 * scene))
            if scene <= 1 / 12
            else float(0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073)
        )
    power = (light * 203 / 10_000) ** (2610 / 16384)
    return float(((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32))


def _write_hdr(path: Path, transfer: int, levels: list[float]) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        frame: Any = av.VideoFrame(160, 120, "yuv420p10le")
        luma = np.repeat(np.round(64 + 876 * np.array(levels)), 40)
        for plane, row in zip(frame.planes, (luma, np.full(80, 512.0), np.full(80, 512.0)), strict=True):
            rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            rows[:, : len(row)] = row
            plane.update(rows.tobytes())
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = 9, transfer, 9, 1
        for number in range(2):
            frame.pts = number
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_the_grey_picture_is_an_average(clips: ModuleType, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", [clips.corners(640, 480)] * 2)
    _, frame = first_frame(path)
    small = grey_pixels(frame, 64)
    assert small.shape == (48, 64) and small.dtype == np.float32
    assert grey_pixels(frame, 9999).shape == (480, 640)
    assert abs(float(small.mean()) - float(grey_pixels(frame, 9999).mean())) < 2
