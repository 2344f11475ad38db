"""All parts of a capture, made slice by slice and linked to each other, but to no scene yet.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbour reconstruction.
"""

from collections.abc import Generator
from dataclasses import dataclass

import bpy

from ..reconstruction import Reconstruction, View
from . import images
from .cameras import build_camera
from .datablocks import claim, datablock_name
from .points import points_steps
from .prepare import Prepared
from .reliefs import ReliefMeshes, build_relief, relief_name
from .root import CAMERA, CAPTURE, PART, POINTS, RELIEF, add_sliders, build_root

Steps = Generator[tuple[str, float], None, "BuiltCapture"]
"""Yields the stage's name in plain words and the share that is done, after each slice; returns what was built."""


@dataclass(frozen=True)
class BuildSettings:
    """What the artist may choose before building."""

    name: str | None = None  # of the capture; None: the folder that its photos came from
    confidence_threshold: float = 0.3  # [0, 1]: the slider's first value
    cut_depth_edges: bool = True
    radius_in_spacings: float = 0.6  # a point's radius over the distance between points: a little overlap
    points: bool = True
    reliefs: bool = True
    pack: bool = False  # put the pictures themselves into the .blend


@dataclass(frozen=True)
class BuiltCapture:
    """What `build` made."""

    collection: bpy.types.Collection
    root: bpy.types.Object
    cameras: tuple[bpy.types.Object, ...]  # in the order of Reconstruction.views
    points: bpy.types.Object | None
    reliefs: tuple[bpy.types.Object, ...]  # in the order of the views; a view without depth has none
    warnings: tuple[str, ...]  # sentences for the artist

    def camera(self, photo: str) -> bpy.types.Object:
        """The camera of the photo called `photo`, whatever Blender or the artist renamed it. Raises KeyError."""
        for camera in self.cameras:
            if camera["photo"] == photo:
                return camera
        raise KeyError(photo)


def parts_steps(
    reconstruction: Reconstruction, prepared: Prepared, settings: BuildSettings, root: bpy.types.Object | None = None
) -> Steps:
    """Make the parts, from 0 to 0.9 of the whole build. With `root`, they become children of that one, which stays
    where it is (in a collection of its own) and needs the sliders by the time that the parts enter a scene."""
    name = datablock_name(settings.name or _name(reconstruction))
    collection = _collection(name, CAPTURE)
    yield "Cameras", 0.0
    if root is None:
        root = build_root(reconstruction, prepared.placement, name, collection)
        add_sliders(root, settings.confidence_threshold, settings.cut_depth_edges, radius(reconstruction, settings))
    photos, warnings, cameras = [], [], []
    group = _child(collection, "Cameras", CAMERA)
    for index, view in enumerate(reconstruction.views):
        photo, warning = images.load_photo(view)
        photos.append(photo)
        warnings += [warning] if warning else []
        cameras.append(build_camera(view, prepared.placement, root, photo, group))
        yield "Cameras", 0.2 * (index + 1) / len(reconstruction.views)
    points = None
    if settings.points and prepared.points is not None:
        steps = points_steps(prepared.points, root, f"{name} points", _child(collection, "Points", POINTS))
        points = yield from _told(steps, "Points", 0.25)
    reliefs: list[bpy.types.Object] = []
    if settings.reliefs and any(view.depth is not None for view in reconstruction.views):
        group = _child(collection, "Reliefs", RELIEF)
        meshes = ReliefMeshes(prepared.placement, share=not can_undo())
        for index, (view, photo) in enumerate(zip(reconstruction.views, photos, strict=True)):
            steps = _relief_steps(view, meshes, root, photo, group)
            relief = yield from _told(steps, "Reliefs", 0.3 + 0.5 * index / len(photos))
            reliefs += [relief] if relief is not None else []
    if settings.pack:
        for index, photo in enumerate(photos):
            images.pack([photo])
            yield "Packing photos", 0.8 + 0.1 * index / len(photos)
    yield "Scene", 0.9
    return BuiltCapture(collection, root, tuple(cameras), points, tuple(reliefs), tuple(warnings))


def radius(reconstruction: Reconstruction, settings: BuildSettings) -> float | None:
    """The first value of the points' slider, local units; None where there are no points to show."""
    cloud = reconstruction.points if settings.points else None
    return None if cloud is None else settings.radius_in_spacings * cloud.spacing


def can_undo() -> bool:
    """Whether Blender keeps undo steps of what is built: with windows, unless the artist turned it off."""
    return not bpy.app.background and bool(bpy.context.preferences.edit.use_global_undo)


def _relief_steps(
    view: View,
    meshes: ReliefMeshes,
    root: bpy.types.Object,
    photo: bpy.types.Image,
    group: bpy.types.Collection,
) -> Generator[None, None, bpy.types.Object | None]:
    """Between two slices no mesh is without its object: Blender purges what nothing uses."""
    arrays = meshes.arrays(view)
    yield
    if arrays is None:
        return None
    return build_relief(view, meshes.of_arrays(arrays, relief_name(view)), root, photo, group)


def _told(
    steps: Generator[None, None, bpy.types.Object | None], stage: str, fraction: float
) -> Generator[tuple[str, float], None, bpy.types.Object | None]:
    """The same slices, each with what is told of it, the last one too."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            yield stage, fraction
            return end.value
        yield stage, fraction


def _name(reconstruction: Reconstruction) -> str:
    folders = {view.original.absolute().parent.name for view in reconstruction.views}
    return folders.pop() if len(folders) == 1 and "" not in folders else "Capture"


def _collection(name: str, part: str) -> bpy.types.Collection:
    collection = claim(bpy.data.collections.new(name))
    collection[PART] = part
    return collection


def _child(parent: bpy.types.Collection, name: str, part: str) -> bpy.types.Collection:
    collection = _collection(name, part)
    parent.children.link(collection)
    return collection
