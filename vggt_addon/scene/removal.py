"""Taking parts of a capture away, and nothing of the artist's.

This module imports nothing beyond the standard library, bpy and the room's own modules.
"""

from collections.abc import Iterable

import bpy

from .datablocks import remove
from .root import PART


def remove_parts(old: list[bpy.types.Object]) -> None:
    """Remove these parts, the data, materials and pictures that only they used, and collections of ours left empty.

    What the artist parented to a part stays where it stands.
    """
    release(old)
    holders = {collection for part in old for collection in part.users_collection if PART in collection}
    remove([*old, *belongings(old)])
    for collection in holders:
        remove_empty(collection)


def belongings(parts: list[bpy.types.Object]) -> set[bpy.types.ID]:
    """Their data, materials and pictures, which may be somebody else's, too."""
    data = {part.data for part in parts if part.data is not None}
    materials = {slot for one in data if isinstance(one, bpy.types.Mesh) for slot in one.materials if slot is not None}
    images = {picture for one in data for picture in _pictures(one)}
    images |= {picture for material in materials for picture in _textures(material)}
    return data | materials | images


def release(things: Iterable[bpy.types.Object]) -> None:
    """Unparent what the artist parented to one of `things`, keeping its place."""
    above = set(things)
    for child in bpy.data.objects:  # once for all: an object finds its children by asking every other one
        if child.parent in above and PART not in child:
            place = child.matrix_world.copy()
            child.parent = None
            child.matrix_world = place


def remove_empty(collection: bpy.types.Collection) -> None:
    """Remove a collection where nothing is in it."""
    if not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)


def _pictures(data: bpy.types.ID) -> Iterable[bpy.types.Image]:
    if isinstance(data, bpy.types.Camera):
        return [background.image for background in data.background_images if background.image is not None]
    return []


def _textures(material: bpy.types.Material) -> Iterable[bpy.types.Image]:
    nodes = material.node_tree.nodes if material.node_tree is not None else []
    return [node.image for node in nodes if node.bl_idname == "ShaderNodeTexImage" and node.image is not None]
