"""A capture built anew below the root that it has.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour
reconstruction.
"""

from collections.abc import Callable
from dataclasses import replace

import bpy
from mathutils import Matrix

from ..reconstruction import Reconstruction
from .datablocks import UNFINISHED, exchange
from .parts import BuildSettings, BuiltCapture, Steps, parts_steps, radius
from .placement import Placement
from .prepare import Prepared, prepare
from .removal import belongings, release, remove_empty, remove_parts
from .root import CAPTURE, PART, add_sliders, describe, world_origin
from .summary import write_summary

Key = tuple[str, str]  # which part of which photo
EXCHANGED = 0.92  # of the whole: the new parts are in the scene, the old ones are not
AT_ONCE = 10  # old parts cleared away in one slice: freeing their memory takes its time


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
    names = {_key(part): [datablock.name for datablock in _with_data(part)] for part in old}
    new = {_key(part): part for part in _parts(built)}
    _hand_over(old, new)
    release(old)
    _keep_in_place(root, prepared.placement)
    add_sliders(root, settings.confidence_threshold, settings.cut_depth_edges, radius(reconstruction, settings))
    describe(root, reconstruction, prepared.placement)
    write_summary(root, reconstruction)
    collection, retired = _into_the_scene(root, built, old)
    exchange([*old, *belongings(old), *retired])
    yield "Scene", EXCHANGED
    while old:
        going, old = old[:AT_ONCE], old[AT_ONCE:]
        freed = {key: new[key] for key in map(_key, going) if key in new}
        remove_parts(going)
        for key, part in freed.items():
            for datablock, name in zip(_with_data(part), names[key], strict=False):
                datablock.name = name
        yield "Scene", 1.0 - (1.0 - EXCHANGED) * len(old) / (len(old) + AT_ONCE)
    for child in [child for child in collection.children if PART in child]:
        child.name = child.name.rpartition(".")[0] or child.name
    return replace(built, collection=collection)


def _parts(built: BuiltCapture) -> list[bpy.types.Object]:
    return [*built.cameras, *built.reliefs, *([] if built.points is None else [built.points])]


def _hand_over(old: list[bpy.types.Object], successors: dict[Key, bpy.types.Object]) -> None:
    """What points to an old part points to the new one of that photo; a part that is hidden stays so."""
    users = bpy.data.user_map(subset=old)
    looked_through = {scene.camera for scene in bpy.data.scenes}
    looked_through |= {marker.camera for scene in bpy.data.scenes for marker in scene.timeline_markers}
    for part in old:
        successor = successors.get(_key(part))
        if successor is None:
            continue
        successor.hide_viewport, successor.hide_render = part.hide_viewport, part.hide_render
        # Each remapping is a pass over the whole file: only where more knows the part than what shows it.
        if part in looked_through or any(
            not isinstance(user, bpy.types.Collection | bpy.types.Scene) for user in users[part]
        ):
            for collection in part.users_collection:
                if PART in collection:  # it goes with the part; the artist's own collections get the new one
                    collection.objects.unlink(part)
            part.user_remap(successor)


def _into_the_scene(
    root: bpy.types.Object, built: BuiltCapture, old: list[bpy.types.Object]
) -> tuple[bpy.types.Collection, list[bpy.types.Collection]]:
    """Put the new parts where the old ones were: the capture's collection, and the collections that left it."""
    homes = [one for one in root.users_collection if one.get(PART) == CAPTURE and UNFINISHED not in one]
    going = set(old)
    shown = {one for part in old for one in part.users_collection}
    shown |= {child for home in homes for child in home.children if PART in child and not child.all_objects}
    retired = []
    for collection in shown:
        if PART in collection and going.issuperset(collection.all_objects):
            for home in homes:
                if collection.name in home.children:
                    home.children.unlink(collection)
            retired.append(collection)
        else:  # the artist's own, or one with something of his
            for part in [part for part in collection.objects if part in going]:
                collection.objects.unlink(part)
    if not homes:  # the artist moved the root into a collection of his own
        above = root.users_collection[0] if root.users_collection else bpy.context.scene.collection
        above.children.link(built.collection)
        return built.collection, retired
    for child in list(built.collection.children):
        homes[0].children.link(child)
        built.collection.children.unlink(child)
    remove_empty(built.collection)
    return homes[0], retired


def _keep_in_place(root: bpy.types.Object, placement: Placement) -> None:
    """The parts may be told from another origin than before: the root makes up for it."""
    before = world_origin(root)
    if before is not None:
        moved = placement.world_origin - before
        if moved.any():
            root.matrix_basis = root.matrix_basis @ Matrix.Translation(moved)


def _with_data(part: bpy.types.Object) -> list[bpy.types.ID]:
    materials = part.data.materials if isinstance(part.data, bpy.types.Mesh) else ()
    return [part, part.data, *(material for material in materials if material is not None)]


def _key(part: bpy.types.Object) -> Key:
    return str(part.get(PART)), str(part.get("identity", ""))
