"""Photos that were added to a capture come to stand beside what is built of it, which stays as the artist has it.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour reconstruction.
"""

from collections.abc import Callable
from dataclasses import replace

import bpy

from ..reconstruction import Reconstruction, View
from .datablocks import exchange, remove
from .parts import BuildSettings, BuiltCapture, Steps, parts_steps
from .prepare import Prepared, prepare
from .removal import belongings, remove_empty
from .root import CAMERA, CAPTURE, PART, POINTS, RELIEF, add_sliders, describe, world_origin
from .summary import read_summary, write_summary


def extend_steps(
    root: bpy.types.Object,
    reconstruction: Reconstruction,
    settings: BuildSettings,
    prepared: Prepared | None,
    find_parts: Callable[[bpy.types.Object], list[bpy.types.Object]],
) -> Steps:
    """Camera and relief of each view that `root`'s capture did not have, slice by slice; the last adds them.

    The point cloud that stands gets the points of all views. Where the artist has removed all reliefs, or the cloud,
    none is made; where all of a kind are hidden, the new ones are. `prepared` is told from the root's world_origin.
    """
    if prepared is None:
        prepared = prepare(reconstruction, world_origin(root))
    kinds = {part[PART] for part in find_parts(root)}
    new = _new_views(root, reconstruction, find_parts(root))
    settings = replace(settings, name=root.name, points=POINTS in kinds, reliefs=RELIEF in kinds)
    # The points' views are of the whole, the parts to be made of the new ones alone.
    partial = reconstruction.replace(views=new, points=None, matches=None, reference=0)
    built = yield from parts_steps(partial, prepared, settings, root)
    standing = find_parts(root)
    for part in (*built.cameras, *built.reliefs):
        alike = [one for one in standing if one[PART] == part[PART]]
        part.hide_viewport = bool(alike) and all(one.hide_viewport for one in alike)
        part.hide_render = bool(alike) and all(one.hide_render for one in alike)
    clouds = [part for part in standing if part[PART] == POINTS]
    retired = _exchange_points(clouds, built.points)
    collection = _join(root, built)
    add_sliders(root, settings.confidence_threshold, settings.cut_depth_edges, None)
    describe(root, reconstruction, prepared.placement)
    write_summary(root, reconstruction)
    exchange(retired)
    remove(retired)
    remove_empty(built.collection)
    return replace(built, collection=collection, points=clouds[0] if clouds else None)


def _new_views(
    root: bpy.types.Object, reconstruction: Reconstruction, standing: list[bpy.types.Object]
) -> tuple[View, ...]:
    """Views are added at the end; one whose parts the artist has removed is not new."""
    summary = read_summary(root)
    there = {str(part.get("identity")) for part in standing}
    before = 0 if summary is None else summary.photos_placed
    return tuple(view for view in reconstruction.views[before:] if view.identity not in there)


def _exchange_points(clouds: list[bpy.types.Object], fresh: bpy.types.Object | None) -> list[bpy.types.ID]:
    """Give what stands the new points, with the artist's materials; what is not needed any more."""
    if fresh is None:
        return []
    if not clouds:  # removed while this was being made
        return [fresh, *belongings([fresh])]
    mesh, spare = fresh.data, [fresh, *(one for one in belongings([fresh]) if one is not fresh.data)]
    for old in {cloud.data for cloud in clouds}:
        points = mesh if old is clouds[0].data else mesh.copy()
        points.materials.clear()
        for material in old.materials:
            points.materials.append(material)
        old.user_remap(points)
        name, old.name = old.name, f"{old.name} before"
        points.name = name
        spare.append(old)
    return spare


def _join(root: bpy.types.Object, built: BuiltCapture) -> bpy.types.Collection:
    """Put the new parts into the capture's collections of their kind; that of the capture."""
    homes = [one for one in root.users_collection if one.get(PART) == CAPTURE and one is not built.collection]
    if not homes:  # the artist moved the root into a collection of his own
        above = root.users_collection[0] if root.users_collection else bpy.context.scene.collection
        above.children.link(built.collection)
        return built.collection
    for child in list(built.collection.children):
        kind = child.get(PART)
        group = next((one for one in homes[0].children if one.get(PART) == kind), None)
        if kind in (CAMERA, RELIEF) and group is None:
            homes[0].children.link(child)
        elif group is not None:
            for part in list(child.objects):
                child.objects.unlink(part)
                if kind != POINTS:
                    group.objects.link(part)
        built.collection.children.unlink(child)
        remove_empty(child)
    return homes[0]
