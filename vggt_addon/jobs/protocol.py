"""What Blender and its worker say to each other: one JSON object a line, arrays and pictures in files.

    {"version": 1, "type": "run", "job": ..., ...}

Blender asks (Probe, Plan, Run, GetWeights, Cancel, Quit), the worker tells (all others). Whatever is not one of these
messages, field by field, is refused. Files are named relative to the job's folder, which Blender made, and `inside`
refuses a name that leads out of it.
This module imports nothing beyond the standard library.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import FormatError
from ..settings import RunSettings
from .schema import from_json, to_json

VERSION = 1
LONGEST_LINE = 4 << 20  # bytes of one message (a run may name thousands of photos); more is no message of ours
HEARTBEAT_SECONDS = 1.0  # between two signs of life
WORKSPACE = "work"  # below a run's folder: what the engine leaves there while it works
RESULT = "capture"  # below a run's folder: the Reconstruction


class OtherVersionError(FormatError):
    """A message of another version of the protocol: two versions of the add-on meet."""


@dataclass(frozen=True)
class Probe:
    """What are these photos? A ProbedPhoto for each, then Done."""

    job: str
    folder: str  # absolute; thumbnails go there
    photos: tuple[str, ...]  # absolute: files, folders, patterns


@dataclass(frozen=True)
class Plan:
    """What would a run take? Planned, then Done."""

    job: str
    photos: tuple[str, ...]
    settings: RunSettings


@dataclass(frozen=True)
class Run:
    """Photos to a Reconstruction: Chosen, Progress, then Done with the folder that holds it.

    Where the photos are added to a capture that is there, no engine is chosen; that capture stays as it is.
    """

    job: str
    folder: str  # absolute, of this job alone; the result is made inside
    photos: tuple[str, ...]
    settings: RunSettings
    capture: str = ""  # absolute: the capture that they are added to; "": they become one of their own


@dataclass(frozen=True)
class GetWeights:
    """Put a network's weights where the worker looks for them: Progress, then Done. Their licence is accepted."""

    job: str
    weights: str  # id in the catalogue
    file: str  # absolute: a file that the artist has; "": download them
    token_file: str  # absolute: holds a token for the hub; "": as the hub's own tools keep it
    replace: bool  # also where others are stored under this id


@dataclass(frozen=True)
class Cancel:
    """Stop this job soon, or drop it where it has not begun."""

    job: str


@dataclass(frozen=True)
class Quit:
    """Stop everything and leave."""


@dataclass(frozen=True)
class EngineState:
    """One engine, as the panel shows it."""

    name: str  # in the registry
    title: str
    ready: bool  # it would run here, now
    needs: str  # what it needs, or what is missing and what to do: a sentence
    licence: str  # of its weights; "" where it has none


@dataclass(frozen=True)
class Hello:
    """The worker's first words, before anything is asked."""

    process: int  # its id
    python: str
    engines: tuple[EngineState, ...]


@dataclass(frozen=True)
class Heartbeat:
    """The worker lives; sent every HEARTBEAT_SECONDS whatever it does."""


@dataclass(frozen=True)
class Progress:
    """How far a job is; never falling."""

    job: str
    stage: str  # in plain words
    fraction: float  # [0, 1]


@dataclass(frozen=True)
class ProbedPhoto:
    """One of the photos and clips that a Probe named."""

    job: str
    path: str  # absolute
    name: str  # unique in the job
    identity: str  # sha256; "" where the file cannot be read
    width: int  # pixels, upright; 0 where the file cannot be read
    height: int
    focal: float | None  # pixels along the long side, as the file claims
    lens: str
    thumbnail: str  # a PNG, relative to the job's folder; "" where there is none
    problem: str  # a sentence where the photo cannot be used; "" where it can
    seconds: float = 0.0  # how long a clip is; 0 for a photo
    frames: int = 0  # how many a clip has; 0 for a photo
    mask: str = ""  # the file name of the mask beside a photo; "" without one
    remark: str = ""  # what of the file is not used, a sentence; "" where all of it is


@dataclass(frozen=True)
class Planned:
    """What a run would take."""

    job: str
    engine: str
    reason: str  # why this engine
    sentence: str  # "24 photos: about 5 GB of 8 GB, 40 s."
    seconds: float | None
    memory: float | None  # bytes
    memory_free: float | None  # bytes, on the device that would be used
    fits: bool


@dataclass(frozen=True)
class Chosen:
    """The engine that runs."""

    job: str
    engine: str
    reason: str


@dataclass(frozen=True)
class Done:
    """A job's end. `result` is the Reconstruction's folder, relative to the job's folder; "" where there is none."""

    job: str
    result: str


@dataclass(frozen=True)
class Failed:
    """A job's end."""

    job: str
    sentence: str  # for the artist
    detail: str  # for the log


@dataclass(frozen=True)
class Cancelled:
    """A job's end."""

    job: str


Job = Probe | Plan | Run | GetWeights
Request = Job | Cancel | Quit
Event = Hello | Heartbeat | Progress | ProbedPhoto | Planned | Chosen | Done | Failed | Cancelled
REQUESTS: dict[str, type[Request]] = {
    "probe": Probe,
    "plan": Plan,
    "run": Run,
    "weights": GetWeights,
    "cancel": Cancel,
    "quit": Quit,
}
EVENTS: dict[str, type[Event]] = {
    "hello": Hello,
    "heartbeat": Heartbeat,
    "progress": Progress,
    "photo": ProbedPhoto,
    "planned": Planned,
    "chosen": Chosen,
    "done": Done,
    "failed": Failed,
    "cancelled": Cancelled,
}
_NAMES: dict[type, str] = {kind: name for kinds in (REQUESTS, EVENTS) for name, kind in kinds.items()}


def encode(message: Request | Event) -> bytes:
    """One line, ASCII (a file's name may hold what is no Unicode), with its end."""
    value = {"version": VERSION, "type": _NAMES[type(message)], **to_json(message)}
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"


def decode_request(line: bytes) -> Request:
    """What the worker was asked. Raises FormatError for anything but a request of this version."""
    return from_json(*_read(line, REQUESTS))


def decode_event(line: bytes) -> Event:
    """What the worker told. Raises FormatError for anything but an event of this version."""
    return from_json(*_read(line, EVENTS))


def job_of(line: bytes) -> str:
    """The job that a line speaks of, even one that is refused; "" where that cannot be told."""
    try:
        job = json.loads(line)["job"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return job if isinstance(job, str) else ""


def inside(folder: Path, name: str) -> Path:
    """The path of `name` below `folder`. Raises FormatError where it is absolute, leads out, or follows a link out."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or any(letter in name for letter in "\\:\0"):
        raise FormatError(f"The name {name[:200]!r} does not stay in the job's folder.")
    path = folder / relative
    try:
        stays = bool(relative.parts) and path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise FormatError(f"The name {name[:200]!r} leads nowhere.", repr(error)) from error
    if not stays:
        raise FormatError(f"The name {name[:200]!r} leads out of the job's folder.")
    return path


def _read(line: bytes, kinds: dict[str, type]) -> tuple[type, object]:
    if len(line) > LONGEST_LINE:
        raise FormatError("A message is too long to be one.")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError("A line is not a message.", repr(line[:200])) from error
    if not isinstance(value, dict) or "version" not in value:
        raise FormatError("A line is not a message.", repr(line[:200]))
    version = value.pop("version")
    if type(version) is not int or version != VERSION:
        raise OtherVersionError(f"A message is not of version {VERSION} of the protocol.", repr(line[:200]))
    name = value.pop("type", None)
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise FormatError("A message is of a type that does not exist.", repr(line[:200]))
    return kind, value
