"""From a scene's properties to what a run is asked.

This module imports nothing beyond the standard library; what it is handed are Blender's properties.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..photo_names import is_clip, natural_key
from ..settings import EngineSettings, NetworkSettings, RunSettings

TELLS_NOTHING = frozenset({"photos", "images", "pictures", "frames", "jpg", "raw", "dcim"})  # as a folder's name
PATCH = 14  # pixels: VGGT's picture is made of such squares
_NETWORK_OPTIONS = ("focal", "device", "precision", "input_size", "memory_limit")  # of both learned engines
_OPTIONS = {
    "sfm": ("depth_size", "sequence"),
    "vggt": (*_NETWORK_OPTIONS, "framing", "points_from"),
    "dust3r": ("sequence", *_NETWORK_OPTIONS, "clean"),
    "auto": ("depth_size", "sequence", *_NETWORK_OPTIONS, "framing", "points_from"),  # VGGT or the embedded one
}


def takes(engine: str, option: str) -> bool:
    """Whether this engine listens to that property of `scene.vggt`: of those that not every engine takes."""
    return option in _OPTIONS[engine]


def chosen_photos(properties: Any) -> list[str]:
    """Absolute paths of the photos of `scene.vggt` that are to be used."""
    return [photo.path for photo in properties.photos if photo.use and not photo.problem]


def run_settings(properties: Any, texture_size: int = 0, memory_limit: float = 0.0) -> RunSettings:
    """What `scene.vggt` asks for; the others are what the preferences say for all scenes."""
    return RunSettings(
        engine=properties.engine,
        engine_settings=EngineSettings(
            seed=properties.seed,
            depth_size=properties.depth_size,
            sequence=properties.sequence and takes(properties.engine, "sequence"),
            texture_size=texture_size,
            reference=_reference(properties),
            network=_network_settings(properties, memory_limit),
        ),
        point_budget=properties.point_budget,
        frames_per_clip=properties.frames_per_clip,
    )


def _network_settings(properties: Any, memory_limit: float) -> NetworkSettings:
    """What is set of an engine that does not take it, and not shown, is not asked for: it would be refused."""
    size = properties.input_size
    asked: dict[str, Any] = {
        "focal": f"{properties.focal_millimetres:.2f}mm" if properties.focal == "known" else properties.focal,
        "device": properties.device,
        "precision": properties.precision,
        "input_size": size if properties.engine == "dust3r" else size // PATCH * PATCH,  # DUSt3R rounds by itself
        "memory_limit": round(properties.memory_limit, 3) or memory_limit,
        "framing": properties.framing,
        "points_from": properties.points_from,
        "clean": properties.clean,
    }
    return NetworkSettings(**{name: value for name, value in asked.items() if takes(properties.engine, name)})


def reference_photo(properties: Any) -> str:
    """The path of the photo that the scene opens on: the one with the pin, else the first that is used; "" for none."""
    chosen = chosen_photos(properties)
    return properties.reference if properties.reference in chosen else next(iter(chosen), "")


def _reference(properties: Any) -> str:
    """Its path; "" where the run takes it anyway, or where it has not been looked at yet."""
    chosen, path = chosen_photos(properties), reference_photo(properties)
    first = min(map(Path, chosen), key=natural_key, default=None)  # runs take photos by their names, not as listed
    known = properties.reference == path or any(photo.path == path and photo.width for photo in properties.photos)
    return path if first != Path(path) and known else ""


def asked_for(scenes: Iterable[Any]) -> list[Any]:
    """What the worker looks at and plans for all of `scenes`, to be compared."""
    asked = [(scene, run_settings(scene.vggt)) for scene in scenes if scene.vggt.photos]
    return [
        (
            scene.session_uid,
            [photo.path for photo in scene.vggt.photos],
            chosen_photos(scene.vggt),
            how.engine,
            how.engine_settings,
            how.frames_per_clip,
        )
        for scene, how in asked
    ]


def capture_name(photos: list[str]) -> str:
    """A name for the capture of these photos: their folder's, where they share one that says more than "photos".

    A clip alone gives its own name.
    """
    if len(photos) == 1 and is_clip(Path(photos[0])):
        return Path(photos[0]).stem
    folders = {Path(photo).parent for photo in photos}
    if len(folders) != 1:
        return "Capture"
    folder = folders.pop()
    return (folder.parent.name if folder.name.lower() in TELLS_NOTHING else folder.name) or "Capture"
