"""The captures of a scene: finding, showing, removing, rebuilding and extending them.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour reconstruction.
"""

import bpy

from ..reconstruction import Reconstruction
from .build import DEFAULTS, slices
from .datablocks import UNFINISHED
from .extend import extend_steps as add_steps
from .parts import BuildSettings, Steps
from .prepare import Prepared
from .rebuild import replace_steps
from .removal import release, remove_empty, remove_parts
from .root import CAMERA, PART, POINTS, RELIEF
from .summary import read_summary

KINDS = {"cameras": CAMERA, "points": POINTS, "reliefs": RELIEF}


def captures(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The roots of the captures in `scene`, the oldest first."""
    return sorted((thing for thing in scene.objects if is_root(thing)), key=_age)


def is_root(thing: bpy.types.Object) -> bool:
    """Whether `thing` is the root of a capture."""
    return "capture_id" in thing


def capture_of(thing: bpy.types.Object) -> bpy.types.Object | None:
    """The root of the capture that `thing` belongs to: itself, or the nearest one above."""
    above: bpy.types.Object | None = thing
    while above is not None and not is_root(above):
        above = above.parent
    return above


def parts(root: bpy.types.Object, kind: str | None = None) -> list[bpy.types.Object]:
    """What was built below `root`: all of it, or one of "cameras", "points", "reliefs". The artist's own is not, but
    for a copy of a part, which is one too."""
    wanted = set(KINDS.values()) if kind is None else {KINDS[kind]}
    return [child for child in root.children if child.get(PART) in wanted and UNFINISHED not in child]


def set_visible(root: bpy.types.Object, kind: str, visible: bool) -> None:
    """Show or hide the "cameras", "points" or "reliefs" of the capture, in viewports and renders."""
    for part in parts(root, kind):
        part.hide_viewport = part.hide_render = not visible


def visible(root: bpy.types.Object, kind: str) -> bool:
    """Whether any of the "cameras", "points" or "reliefs" is shown in viewports."""
    return any(not part.hide_viewport for part in parts(root, kind))


def remove_capture(root: bpy.types.Object) -> None:
    """Remove the capture: its objects, and the data, pictures and collections that nothing else uses.

    What the artist parented below it, or put into its collections, stays where it stands.
    """
    collections = [collection for collection in root.users_collection if PART in collection]
    remove_parts(parts(root))
    release([root])
    bpy.data.objects.remove(root)
    for collection in collections:
        remove_empty(collection)


def rebuild_steps(
    root: bpy.types.Object,
    reconstruction: Reconstruction,
    settings: BuildSettings = DEFAULTS,
    *,
    prepared: Prepared | None = None,
) -> Steps:
    """`reconstruction` in the place of what stands below `root`, in slices as `build_steps`.

    The root itself stays: name, transform, animation and sliders. One slice exchanges the parts, and those
    after it clear the old ones away, closed or not; what pointed to a camera or relief (the scene's camera,
    constraints, children) points to the new one of that photo.
    """
    return slices(replace_steps(root, reconstruction, settings, prepared, parts))


def extend_steps(
    root: bpy.types.Object,
    reconstruction: Reconstruction,
    settings: BuildSettings = DEFAULTS,
    *,
    prepared: Prepared | None = None,
) -> Steps:
    """`reconstruction` is what stands below `root` and more photos: these are added in slices as `build_steps`.

    What stands keeps what the artist made of it; only the point cloud gets other points.
    """
    return slices(add_steps(root, reconstruction, settings, prepared, parts))


def _age(root: bpy.types.Object) -> tuple[str, str]:
    summary = read_summary(root)
    return (summary.created if summary is not None else "", root.name)
