"""Opening clips: what a file holds, and its frames one after another with their exact times.

A clip is a stranger's data: only containers of clips are opened (no playlist, which could name other files), and
nothing is fetched over a network. This module imports PyAV and numpy beyond the standard library.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import av
import av.container
import av.video.frame
import av.video.stream
from av.buffer import Buffer
from av.error import FFmpegError

from ..errors import PhotoError
from ..progress import Cancel, check, never
from .clip import Clip
from .opening import MIN_SIDE
from .read import file_sha256

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,mxf,asf,ogg"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
MOST_PIXELS = 72_000_000  # of a frame: cameras all around take 66; a small file that claims more is after memory
PIXELS_AT_ONCE = 72_000_000  # of frames that are decoded side by side, each of which is kept in several versions
_HDR = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics
_MOST_STRETCHED = 8.0  # a pixel's width to its height, or the other way round; beyond it the file is wrong
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}  # by the display matrix's a, b, c, d: a stored place (p, q) is shown at (a p + c q, b p + d q), y down

Frame = av.video.frame.VideoFrame


class Reading:
    """The frames of one clip, once, in the order in which they are shown. `damaged` is known when they have ended.

    Frames are made from those before them: what follows damage is passed over until a frame comes that stands for
    itself, since smeared frames look sharp. Bits that are wrong without breaking the format nobody can tell.
    """

    def __init__(self, path: Path, *, key_frames_only: bool = False, threads: int = 0, cancel: Cancel = never) -> None:
        self.damaged = 0  # packets that could not be read, and frames that came out damaged
        self.key_frames_only = key_frames_only
        self._path, self._threads, self._cancel = path, threads, cancel

    def __iter__(self) -> Iterator[tuple[float, Frame]]:
        """(seconds, frame), times rising. Raises PhotoError where the file cannot be opened, Cancelled."""
        with opened(self._path) as (container, stream):
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = _threads(stream, self._threads)
            stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # also where a later frame claims more
            if self.key_frames_only:
                stream.codec_context.skip_frame = "NONKEY"
            last, mended = float("-inf"), 0
            for frame in self._decoded(container, stream):
                check(self._cancel)
                if frame.is_corrupt:
                    self.damaged += 1
                elif frame.key_frame:
                    mended = self.damaged
                if mended == self.damaged and frame.pts is not None and frame.time > last:
                    last = frame.time
                    yield last, frame

    def _decoded(self, container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Iterator[Frame]:
        """Past what is damaged: a packet that cannot be decoded is one less, and what cannot be read on is the end."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (FFmpegError, OSError):
                self.damaged += 1
                return
            check(self._cancel)
            try:
                yield from packet.decode()
            except FFmpegError:
                self.damaged += 1


@contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """The container and its moving picture. Raises PhotoError with a sentence where there is none."""
    try:
        # As a file and not by its name, in which FFmpeg would look for protocols and patterns.
        with (
            path.open("rb") as file,
            av.open(file, "r", container_options=_OPTIONS, metadata_errors="replace") as container,
        ):
            pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
            if not pictures:
                raise PhotoError(f"{path.name} holds no moving picture, only sound or data.")
            width, height = pictures[0].codec_context.width, pictures[0].codec_context.height
            if width * height > MOST_PIXELS:
                raise PhotoError(f"{path.name} claims {width} x {height} pixels, more than any clip has.")
            yield container, pictures[0]
    except FileNotFoundError as error:
        raise PhotoError(f"{path} does not exist any more.", repr(error)) from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read: check the file's permissions.", repr(error)) from error
    except (FFmpegError, OSError, ValueError) as error:
        sentence = f"{path.name} is not a clip that can be read, or is damaged: export it again, as MP4 with H.264."
        raise PhotoError(sentence, repr(error)) from error


def _is_cover(stream: av.video.stream.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def probe_clip(path: Path) -> Clip:
    """What the clip at `path` is, from its header, its first frame and its bytes' hash.

    Remembered as long as the file keeps its size and time of change, since a panel asks often and clips are large.
    Raises PhotoError where no frame of it can be read.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error.strerror}.", repr(error)) from error
    if not state.st_size:
        raise PhotoError(f"{path.name} is empty: copy it again.")
    return _probe(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=64)
def _probe(path: Path, *state: int) -> Clip:
    first, frame = first_frame(path)
    orientation = _orientation(frame)
    with opened(path) as (container, stream):
        stretched = _square(frame, stream)
        count, duration = _extent(container, stream, first, path)
        timecode = _timecode(container)
        key_frames = sum(entry.is_keyframe for entry in stream.index_entries)
    width, height = stretched if orientation < 5 else stretched[::-1]
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{path.name} has only {width} x {height} pixels, too few to work with.")
    return Clip(
        path=path,
        name=path.name,
        sha256=file_sha256(path),
        width=width,
        height=height,
        orientation=orientation,
        stretched=stretched,
        first=first,
        duration=duration,
        frames=count,
        key_frames=key_frames,
        timecode=timecode,
        hdr=_HDR.get(frame.color_trc, ""),
        interlaced=frame.interlaced_frame,
    )


def _threads(stream: av.video.stream.VideoStream, asked: int) -> int:
    """As many as asked for (0: one per core), but so few that the frames that they work on stay within memory."""
    pixels = max(stream.codec_context.width * stream.codec_context.height, 1)
    return max(1, min(asked or os.cpu_count() or 1, PIXELS_AT_ONCE // pixels))


def first_frame(path: Path) -> tuple[float, Frame]:
    """The first frame that can be read, and its time in seconds. Raises PhotoError where there is none."""
    for time, frame in Reading(path, threads=1):
        return time, frame
    raise PhotoError(f"{path.name} holds no frame that can be read: it is damaged, or its recording was cut off.")


def _orientation(frame: Frame) -> int:
    """From the display matrix: nine numbers, of which the first two of the first two rows turn and mirror."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(side_data, Buffer):
        return 1
    values = struct.unpack("<9i" if struct.pack("=i", 1)[0] else ">9i", bytes(side_data)[:36])
    signs = tuple((value > 0) - (value < 0) for value in (values[0], values[1], values[3], values[4]))
    return _ORIENTATIONS.get(signs, 1)  # a skew turn is an effect, which players ignore, too


def _square(frame: Frame, stream: av.video.stream.VideoStream) -> tuple[int, int]:
    """Size of the stored frame with its pixels made square; no pixel is lost, so the smaller side of a pixel grows."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if not 1 / _MOST_STRETCHED <= aspect <= _MOST_STRETCHED:
        aspect = 1.0
    width, height = frame.width, frame.height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _extent(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, first: float, path: Path
) -> tuple[int, float]:
    """Number of frames, and seconds. Where the header does not say (a browser's recording), packets are counted."""
    duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    if duration <= 0 and container.duration:
        duration = container.duration / av.time_base - max(0.0, first - (container.start_time or 0) / av.time_base)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    if duration > 0 and (stream.frames or rate):
        return max(1, stream.frames or round(duration * rate)), duration
    times = _stamps(path)
    if len(times) < 2:
        return 1, 1 / rate if rate else 1.0
    seconds = (times[-1] - times[0]) * len(times) / (len(times) - 1)
    return len(times), seconds if seconds > 0 else len(times) / (rate or 1.0)


def _stamps(path: Path) -> list[float]:
    """The times of all frames, rising, without decoding any."""
    times = []
    with opened(path) as (container, stream), suppress(FFmpegError, OSError):  # a cut file's end ends its frames
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base is not None:
                times.append(float(packet.pts * packet.time_base))
    return sorted(times)


def _timecode(container: av.container.InputContainer) -> str:
    """The recorder's clock at the first frame, from wherever the container keeps it."""
    places = [stream.metadata for stream in container.streams] + [container.metadata]
    return next((place["timecode"] for place in places if place.get("timecode")), "")
