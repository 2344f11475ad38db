"""A decoded frame as the picture that is used and shown: upright, square pixels, 8-bit sRGB; and as a small grey one.

This module imports PyAV, numpy and the standard library.
"""

import av.video.frame
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

from .clip import Clip

_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_UNSPECIFIED = 2  # ITU-T H.273: of matrix, transfer and primaries
_BT709, _BT2020 = 1, 9  # ITU-T H.273, matrix coefficients
_HD_HEIGHT, _HD_WIDTH = 720, 1280  # pixels: from here on BT.709 is meant where a file says nothing, below BT.601

Frame = av.video.frame.VideoFrame


class UprightPictures:
    """Pictures of the frames of `clip`. Keep it for all of them: HDR's table of colours takes seconds to compute.

    The file's matrix (BT.601, BT.709, BT.2020) and range (16 to 235, or 0 to 255) are honoured; the coded values of
    ordinary clips are taken for sRGB, as every player does. HDR (PQ, HLG) is brought to it: its reference white, 203
    cd/m2, becomes white, and what is brighter is cut off.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._reformatter = VideoReformatter()

    def pixels(self, frame: Frame) -> NDArray[np.uint8]:
        """(height, width, 3) sRGB, of the size that the clip has."""
        shown = self._srgb(frame, *self._clip.stretched)
        return np.ascontiguousarray(_turned(np.asarray(shown.to_ndarray(), np.uint8), self._clip.orientation))

    def _srgb(self, frame: Frame, width: int, height: int) -> Frame:
        """The frame in RGB, not turned."""
        space = frame.colorspace
        if space == _UNSPECIFIED:
            hd = max(frame.width, frame.height) >= _HD_WIDTH or min(frame.width, frame.height) >= _HD_HEIGHT
            space = _BT2020 if self._clip.hdr else _BT709 if hd else Colorspace.ITU601
        if self._clip.hdr:
            frame.colorspace = space
            return self._reformatter.reformat(
                frame, width, height, "rgb24", interpolation=_EXACT, dst_color_range=ColorRange.JPEG,
                dst_color_trc=ColorTrc.IEC61966_2_1, dst_color_primaries=ColorPrimaries.BT709,
            )  # fmt: skip
        stored = ColorRange.JPEG if _is_full(frame) else ColorRange.MPEG
        return self._reformatter.reformat(
            frame, width, height, "rgb24", src_colorspace=space, dst_colorspace=space, interpolation=_EXACT,
            src_color_range=stored, dst_color_range=ColorRange.JPEG,
        )  # fmt: skip


def grey_pixels(frame: Frame, long_side: int) -> NDArray[np.float32]:
    """(h, w) the frame's brightness in [0, 255], not turned, made small to `long_side` pixels by averaging."""
    scale = min(1.0, long_side / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    grey = frame.reformat(width, height, "gray", interpolation=Interpolation.AREA)
    return np.asarray(grey.to_ndarray(), np.float32)


def _is_full(frame: Frame) -> bool:
    """Whether the values use all of 0 to 255; RGB and the formats called yuvj do whatever else is said."""
    return frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj") or frame.format.is_rgb


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turned and mirrored as EXIF's `orientation` asks; the same pixels."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
