"""A capture built anew below the root that it has.

This module imports nothing beyond the standard library, numpy, bpy, the room's own modules and its neighbour
reconstruction.
"""

from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix

from ..reconstruction import Reconstruction
from .datablocks import UNFINISHED
from .parts import BuildSettings, BuiltCapture, Steps, parts_steps, radius
from .placement import Placement
from .prepare import Prepared, prepare
from .removal import remove_empty, remove_parts
from .root import CAPTURE, PART, add_sliders, describe
from .summary import write_summary

Key = tuple[str, str]  # which part of which photo


def replace_steps(
    root: bpy.types.Object,
    reconstruction: Reconstruction,
    settings: BuildSettings,
    prepared: Prepared | None,
    find_parts: Callable[[bpy.types.Object], list[bpy.types.Object]],
) -> Steps:
    """The new parts, slice by slice; the last exchanges what `find_parts` finds below `root` for them."""
    if prepared is None:
        prepared = prepare(reconstruction)
    built = yield from parts_steps(reconstruction, prepared, replace(settings, name=root.name), root)
    old = find_parts(root)
    names = {_key(part): (part.name, part.data.name) for part in old}
    new = [*built.cameras, *built.reliefs, *([] if built.points is None else [built.points])]
    _hand_over(old, new)
    collection = _into_the_scene(root, built)
    remove_parts(old)
    for part in new:
        if _key(part) in names:
            part.name, part.data.name = names[_key(part)]
    for child in collection.children:
        if PART in child:
            child.name = child.name.rpartition(".")[0] or child.name
    _keep_in_place(root, prepared.placement)
    add_sliders(root, settings.confidence_threshold, settings.cut_depth_edges, radius(reconstruction, settings))
    describe(root, reconstruction, prepared.placement)
    write_summary(root, reconstruction)
    return replace(built, collection=collection)


def _hand_over(old: list[bpy.types.Object], new: list[bpy.types.Object]) -> None:
    """What points to an old part points to the new one of that photo; a part that is hidden stays so."""
    successors = {_key(part): part for part in new}
    users = bpy.data.user_map(subset=old)
    for part in old:
        successor = successors.get(_key(part))
        if successor is None:
            continue
        successor.hide_viewport, successor.hide_render = part.hide_viewport, part.hide_render
        # A pass over the whole file for each is long: only where more than our own collection knows the part.
        if any(not isinstance(user, bpy.types.Collection) for user in users[part]):
            part.user_remap(successor)


def _into_the_scene(root: bpy.types.Object, built: BuiltCapture) -> bpy.types.Collection:
    """Put the new parts where the old ones were; returns the capture's collection."""
    homes = [one for one in root.users_collection if one.get(PART) == CAPTURE and UNFINISHED not in one]
    if not homes:  # the artist moved the root into a collection of his own
        (root.users_collection[0] if root.users_collection else bpy.context.scene.collection).children.link(
            built.collection
        )
        return built.collection
    for child in list(built.collection.children):
        homes[0].children.link(child)
        built.collection.children.unlink(child)
    remove_empty(built.collection)
    return homes[0]


def _keep_in_place(root: bpy.types.Object, placement: Placement) -> None:
    """The parts may be told from another origin than before: the root makes up for it."""
    before = np.array(root.get("world_origin", ()), np.float64)
    if before.shape == (3,) and np.isfinite(before).all():
        moved = placement.world_origin - before
        if moved.any():
            root.matrix_basis = root.matrix_basis @ Matrix.Translation(moved)


def _key(part: bpy.types.Object) -> Key:
    return str(part.get(PART)), str(part.get("identity", ""))
