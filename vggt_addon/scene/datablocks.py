"""Which datablocks a piece of work made, so that it can be undone as a whole.

A build that runs in slices shares Blender with the artist: between two slices he makes, deletes and undoes. So every
datablock of it carries the build's mark from birth (`claim`) until it is complete, and is found again by that mark,
never by a Python reference, which an undo leaves dangling.
This module imports nothing beyond the standard library and bpy.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

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
OWNERS = (bpy.types.Scene, bpy.types.Collection, bpy.types.Object)
OWNED = (  # by owners, and each by those before: what the artist, or another capture, may use by now
    (bpy.types.Camera, bpy.types.Mesh),
    (bpy.types.Material, bpy.types.World),
    (bpy.types.Image, bpy.types.NodeTree),
)
UNFINISHED = "vggt_addon_unfinished"  # custom property: the mark of the build that the datablock is still part of

Datablock = TypeVar("Datablock", bound=bpy.types.ID)
_at_work: list["Unfinished"] = []  # the build whose slice runs at this moment
_alive: set[str] = set()  # marks of the builds that may still go on


def datablock_name(text: str) -> str:
    """`text` as Blender takes it for a name: a file's name may hold what is no Unicode (old archives, on Linux)."""
    return text.encode("utf-8", "replace").decode("utf-8")


def claim(datablock: Datablock) -> Datablock:
    """Say that `datablock`, just made, belongs to the build whose slice runs, if one does."""
    if _at_work:
        datablock[UNFINISHED] = _at_work[-1].mark
    return datablock


def exchange(old: Iterable[bpy.types.ID]) -> None:
    """The build whose slice runs has brought in all that it made; what it has still to clear away is `old`."""
    (work,) = _at_work[-1:]
    for datablock in _marked({work.mark}):
        del datablock[UNFINISHED]
    for datablock in old:
        datablock[UNFINISHED] = work.mark


class Unfinished:
    """The datablocks of one build that is not complete yet."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        _alive.add(self.mark)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What is claimed inside is this build's."""
        _at_work.append(self)
        try:
            yield
        finally:
            _at_work.remove(self)

    def complete(self) -> None:
        """Everything stays."""
        for datablock in _marked({self.mark}):
            del datablock[UNFINISHED]
        _alive.discard(self.mark)

    def remove(self) -> None:
        """Nothing stays, whatever an undo made of it meanwhile; what the artist has made since does."""
        _alive.discard(self.mark)
        remove(_marked({self.mark}))


def remove_unfinished() -> int:
    """Remove what builds that were given up left behind, and say how many datablocks that was.

    An undo, a redo, or a file that was saved while a build was under way brings such parts back; they are in no scene.
    For the handlers of these events.
    """
    found = {str(datablock[UNFINISHED]) for datablock in _marked()} - _alive
    left = _marked(found)
    count = len(left)
    remove(left)
    return count


@contextmanager
def temporary() -> Iterator[None]:
    """Remove every datablock made inside, however it ends."""
    before = _all()
    try:
        yield
    finally:
        _remove_since(before)


def _marked(marks: set[str] | None = None) -> list[bpy.types.ID]:
    """All datablocks with one of `marks`, or with any."""
    return [
        datablock
        for kind in KINDS
        for datablock in getattr(bpy.data, kind)
        if UNFINISHED in datablock
        and datablock.library is None  # another file's: not ours to remove
        and (marks is None or datablock[UNFINISHED] in marks)
    ]


def remove(datablocks: Iterable[bpy.types.ID]) -> None:
    """Objects and collections go; of the rest what nothing else uses, and what is used belongs to no build any more."""
    everything = set(datablocks)
    bpy.data.batch_remove([one for one in everything if isinstance(one, OWNERS)])
    owned = [[one for one in everything if isinstance(one, kinds)] for kinds in OWNED]
    for group in owned:
        used = [one for one in group if one.users]
        bpy.data.batch_remove([one for one in group if not one.users])
        for one in used:
            one.pop(UNFINISHED, None)


def _all() -> set[bpy.types.ID]:
    return {datablock for kind in KINDS for datablock in getattr(bpy.data, kind)}


def _remove_since(before: set[bpy.types.ID]) -> None:
    # Scenes first and by themselves: Blender refuses to remove them in a batch.
    for scene in set(bpy.data.scenes) - before:
        bpy.data.scenes.remove(scene)
    bpy.data.batch_remove(_all() - before)
