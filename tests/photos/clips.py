"""Clips made by the tests: known frames at known times, in any container, colour, shape and state of health."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
Picture = NDArray[np.uint8]
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}  # ITU-T H.273, matrix coefficients: kr, kb
PALETTE = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 120, 40], [30, 90, 180]],
    np.uint8,
)
TURNED_RIGHT = (0, 1, -1, 0)  # display matrix of a phone held upright: the picture is to be turned by 90 to the right


def bars(width: int = 320, height: int = 240) -> Picture:
    """Upright bars of the PALETTE, from left to right."""
    return np.repeat(PALETTE[np.arange(width) * len(PALETTE) // width][None], height, axis=0)


def corners(width: int = 320, height: int = 240) -> Picture:
    """Grey, with another colour in each quarter's middle: red top left, green top right, blue bottom left."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for (row, column), color in {(0, 0): 0, (0, 1): 1, (1, 0): 2}.items():
        top, left = height // 2 * row + height // 8, width // 2 * column + width // 8
        picture[top : top + height // 4, left : left + width // 4] = PALETTE[color]
    return picture


def walk(count: int, width: int = 320, height: int = 240, step: int = 8, seed: int = 1) -> list[Picture]:
    """A window that moves `step` pixels a frame along a wall of soft texture."""
    rng = np.random.default_rng(seed)
    wall = np.zeros((height, width + step * count, 3))
    for cell in (8, 32):
        coarse = rng.integers(0, 256, (height // cell + 2, wall.shape[1] // cell + 2, 3)).astype(float)
        coarse = 0.1 * coarse + 0.9 * coarse.mean(axis=2, keepdims=True)  # pale: colour is stored at half the size
        wall += np.kron(coarse, np.ones((cell, cell, 1)))[:height, : wall.shape[1]] / 2
    return [wall[:, step * number : step * number + width].astype(np.uint8) for number in range(count)]


def courtyard(count: int) -> list[Picture]:
    """The example's first photos at a third of their size, 400 x 266."""
    pictures = []
    for number in range(1, count + 1):
        with Image.open(REPOSITORY / f"examples/courtyard/photos/courtyard_{number:02d}.jpg") as image:
            pictures.append(np.asarray(image.resize((image.width // 3, image.height // 3)), np.uint8))
    return pictures


def write_clip(
    path: Path,
    pictures: Sequence[Picture],
    *,
    times: Sequence[int] | None = None,  # of the frames, in units of `time_base`; one after another by default
    time_base: Fraction = Fraction(1, 30),
    rate: Fraction = Fraction(30),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    matrix: int = 1,  # ITU-T H.273
    tagged: bool = True,  # the file says which matrix and range it has
    full: bool = False,  # values from 0 to 255, not 16 to 235
    pixel: Fraction | None = None,  # a pixel's width to its height
    timecode: str = "",  # of the first frame
    change: Callable[[Any], None] = lambda frame: None,  # is handed each frame before it is encoded
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write (h, w, 3) sRGB pictures, nearly without loss, by our own conversion to YUV."""
    height, width = pictures[0].shape[:2]
    lossless = {"crf": "1", "bf": "0"} if codec == "libx264" else {}
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options={**lossless, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = 12
        stream.codec_context.bit_rate = 20_000_000
        if timecode:
            stream.metadata["timecode"] = timecode
        if tagged:
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        frames: dict[int, Any] = {}  # a picture that comes again is converted once
        for number, picture in enumerate(pictures):
            frame = frames.get(id(picture)) or yuv_frame(picture, matrix, full)
            frames[id(picture)] = frame
            if tagged:
                frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.pts, frame.time_base = number if times is None else times[number], time_base
            change(frame)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def yuv_frame(picture: Picture, matrix: int, full: bool) -> Any:
    """ITU-R BT.601 and BT.709: luma, scaled colour differences, rounded to 8 bit; chroma at half the size."""
    kr, kb = MATRICES[matrix]
    red, green, blue = np.moveaxis(picture.astype(float) / 255, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = [(blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))]
    height, width = luma.shape
    small = [part.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) for part in chroma]
    wide = [luma * 255, *(part * 255 + 128 for part in small)]
    planes = wide if full else [16 + 219 * luma, *(128 + 224 * part for part in small)]
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : values.shape[1]] = np.clip(np.round(values), 0, 255)
        plane.update(rows.tobytes())
    return frame


def write_sound(path: Path) -> Path:
    """A second of silence and no picture."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a, b, c, d into the picture's track header of an MP4, as a phone does that is held upright."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 4 + 36  # after its name, its version and what comes before the matrix
    assert struct.unpack(">9i", content[start : start + 36]) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (value << 16 for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
