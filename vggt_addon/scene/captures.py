"""The captures of a scene: finding, showing and removing them.

This module imports nothing beyond the standard library, bpy and the room's own modules.
"""

from collections.abc import Iterable

import bpy

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
    """What was built below `root`: all of it, or one of "cameras", "points", "reliefs". The artist's own is not."""
    wanted = set(KINDS.values()) if kind is None else {KINDS[kind]}
    return [child for child in root.children if child.get(PART) in wanted]


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
    collections = [one for one in root.users_collection if one.get(PART) is not None]
    remove_parts(parts(root))
    release(root)
    bpy.data.objects.remove(root)
    for collection in collections:
        remove_empty(collection)


def remove_parts(old: list[bpy.types.Object]) -> None:
    """Remove these parts with what only they used; the artist's objects below them are let go."""
    for part in old:
        release(part)
    holders = {collection for part in old for collection in part.users_collection if collection.get(PART) is not None}
    data = {part.data for part in old}
    materials = {slot for one in data if isinstance(one, bpy.types.Mesh) for slot in one.materials if slot is not None}
    images = {picture for one in data for picture in _pictures(one)}
    images |= {picture for material in materials for picture in _textures(material)}
    bpy.data.batch_remove(old)
    for unused in (data, materials, images):
        bpy.data.batch_remove({one for one in unused if not one.users})
    for collection in holders:
        if not collection.all_objects:
            bpy.data.collections.remove(collection)


def release(thing: bpy.types.Object) -> None:
    """Unparent what the artist parented to `thing`, keeping its place."""
    for child in thing.children:
        if child.get(PART) is None:
            place = child.matrix_world.copy()
            child.parent = None
            child.matrix_world = place


def remove_empty(collection: bpy.types.Collection) -> None:
    """Remove a collection of ours, and those below, where nothing of the artist's is in them."""
    for child in list(collection.children):
        if child.get(PART) is not None:
            remove_empty(child)
    if not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)


def _age(root: bpy.types.Object) -> tuple[str, str]:
    summary = read_summary(root)
    return (summary.created if summary is not None else "", root.name)


def _pictures(data: bpy.types.ID) -> Iterable[bpy.types.Image]:
    if isinstance(data, bpy.types.Camera):
        return [background.image for background in data.background_images if background.image is not None]
    return []


def _textures(material: bpy.types.Material) -> Iterable[bpy.types.Image]:
    nodes = material.node_tree.nodes if material.node_tree is not None else []
    return [node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage" and node.image is not None]
