"""Which datablocks a piece of work made, so that it can be undone as a whole.

This module imports nothing beyond the standard library and bpy.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

KINDS = (
    "scenes",
    "collections",
    "objects",
    "meshes",
    "cameras",
    "materials",
    "images",
    "node_groups",
    "worlds",
)  # every kind that this room makes


def datablock_name(text: str) -> str:
    """`text` as Blender takes it for a name: a file's name may hold what is no Unicode (old archives, on Linux)."""
    return text.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Keep what is made inside; after an exception of any sort (a cancel too) remove every new datablock."""
    before = _all()
    try:
        yield
    except BaseException:
        _remove_since(before)
        raise


@contextmanager
def temporary() -> Iterator[None]:
    """Remove every datablock made inside, however it ends."""
    before = _all()
    try:
        yield
    finally:
        _remove_since(before)


def _all() -> set[bpy.types.ID]:
    return {datablock for kind in KINDS for datablock in getattr(bpy.data, kind)}


def _remove_since(before: set[bpy.types.ID]) -> None:
    # Scenes first and by themselves: Blender refuses to remove them in a batch.
    for scene in set(bpy.data.scenes) - before:
        bpy.data.scenes.remove(scene)
    bpy.data.batch_remove(_all() - before)
