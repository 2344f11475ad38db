"""What the result box says of a capture: one short text on its root, so that undo, saving and appending carry it.

Whoever made the .blend wrote that text: what does not read as a summary is no summary.
This module imports nothing beyond the standard library, numpy and its neighbour reconstruction.
"""

import json
import math
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ..reconstruction import Reconstruction, View

SUMMARY = "capture_summary"  # custom property of the root: JSON, the same for the same capture
CREATED = "capture_created"  # custom property of the root
LONGEST = 100_000  # characters of that text
MOST_LISTED = 100  # photos and warnings: a result box shows fewer, and draws them many times a second
LONGEST_SENTENCE = 300  # characters
SENSOR = 36.0  # millimetres along the long side, of which a 35 mm equivalent speaks

Range = tuple[float, float]


@dataclass(frozen=True)
class CaptureSummary:
    """The figures of one capture. Lists are cut to their first entries; the counts are of all."""

    engine: str
    weights: str  # their name; "" for an engine without
    licence: str  # of the weights; "" without
    photos_placed: int
    photos_left_out: int
    left_out: tuple[tuple[str, str], ...]  # file name and reason, `MOST_LISTED` at the most
    warnings: tuple[str, ...]  # sentences, `MOST_LISTED` at the most
    points: int
    reprojection_error: float | None  # pixels, mean; None where the engine measures none
    focal_range: Range | None  # smallest and largest, millimetres of 35 mm equivalent; None without photos
    focal_range_pixels: Range | None  # the same, pixels along the long side
    focal_uncertain: bool  # of any photo
    created: str  # when it was built, ISO 8601, UTC


def summarize(reconstruction: Reconstruction) -> CaptureSummary:
    """The summary of `reconstruction`, as if built at this moment."""
    views, weights = reconstruction.views, reconstruction.weights or {}
    error = reconstruction.report.get("reprojection_error")
    pixels = [_focal(view) for view in views]
    millimetres = [focal * SENSOR / max(view.width, view.height) for focal, view in zip(pixels, views, strict=True)]
    return CaptureSummary(
        engine=_short(reconstruction.engine),
        weights=_short(str(weights.get("name", ""))),
        licence=_short(str(weights.get("licence", ""))),
        photos_placed=len(views),
        photos_left_out=len(reconstruction.left_out),
        left_out=tuple((_short(one.name), _short(one.reason)) for one in reconstruction.left_out[:MOST_LISTED]),
        warnings=tuple(_short(warning) for warning in reconstruction.warnings[:MOST_LISTED]),
        points=0 if reconstruction.points is None else len(reconstruction.points.position),
        reprojection_error=error if isinstance(error, float) and math.isfinite(error) else None,
        focal_range=(min(millimetres), max(millimetres)) if views else None,
        focal_range_pixels=(min(pixels), max(pixels)) if views else None,
        focal_uncertain=any(view.report.focal_uncertain for view in views),
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def write_summary(root: MutableMapping[str, Any], reconstruction: Reconstruction) -> None:
    """Write the summary of `reconstruction` on `root`, an object of Blender's."""
    summary = summarize(reconstruction)
    while len(text := _text(summary)) > LONGEST:
        shorter = slice(max(len(summary.left_out), len(summary.warnings)) // 2)
        summary = replace(summary, left_out=summary.left_out[shorter], warnings=summary.warnings[shorter])
    root[SUMMARY], root[CREATED] = text, summary.created


def read_summary(root: Mapping[str, Any]) -> CaptureSummary | None:
    """What `write_summary` wrote; None where nothing reads as that. Cheap enough for a panel's draw."""
    text, created = root.get(SUMMARY), root.get(CREATED)
    if not (isinstance(text, str) and len(text) <= LONGEST and isinstance(created, str) and len(created) < 40):
        return None
    return _parsed(text, created)


@lru_cache(maxsize=16)
def _parsed(text: str, created: str) -> CaptureSummary | None:
    try:
        datetime.fromisoformat(created)
        document = json.loads(text, parse_constant=_refuse)
        if not isinstance(document, dict) or document.keys() != {field.name for field in fields(CaptureSummary)} - {
            "created"
        }:
            return None
        return CaptureSummary(
            engine=_string(document["engine"]),
            weights=_string(document["weights"]),
            licence=_string(document["licence"]),
            photos_placed=_count(document["photos_placed"]),
            photos_left_out=_count(document["photos_left_out"]),
            points=_count(document["points"]),
            left_out=tuple((_string(name), _string(reason)) for name, reason in _list(document["left_out"])),
            warnings=tuple(_string(warning) for warning in _list(document["warnings"])),
            reprojection_error=_figure(document["reprojection_error"]),
            focal_range=_range(document["focal_range"]),
            focal_range_pixels=_range(document["focal_range_pixels"]),
            focal_uncertain=document["focal_uncertain"] is True,
            created=created,
        )
    except (ValueError, TypeError, RecursionError):
        return None


def _text(summary: CaptureSummary) -> str:
    document = asdict(summary)
    del document["created"]
    return json.dumps(document, allow_nan=False)


def _focal(view: View) -> float:
    along_width = view.width >= view.height
    return float(view.intrinsics[0, 0] if along_width else view.intrinsics[1, 1])


def _short(text: str) -> str:
    """As Blender can show it: a file's name may hold what is no Unicode."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    return text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 3]}..."


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _string(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_SENTENCE:
        raise ValueError("not a short text")
    value.encode("utf-8")  # raises a ValueError for what Blender could not show
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError("not a count")
    return value


def _figure(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise ValueError("not a figure")
    return float(value)


def _range(value: Any) -> Range | None:
    if value is None:
        return None
    low, high = (_figure(part) for part in _list(value))
    if low is None or high is None or low > high:
        raise ValueError("not a range")
    return low, high


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_LISTED:
        raise ValueError("not a list, or a long one")
    return value
