"""A Reconstruction becomes one tidy capture in a Blender scene.

This module imports nothing beyond the standard library, bpy, the room's own modules and its neighbours reconstruction
and progress.
"""

from dataclasses import dataclass, replace

import bpy

from ..progress import Cancel, Progress, check, never, no_progress
from ..reconstruction import Reconstruction
from . import images, viewports
from .cameras import build_camera, look_through
from .datablocks import all_or_nothing, datablock_name
from .placement import Placement, place
from .points import build_points
from .reliefs import ReliefMeshes, build_relief
from .root import add_sliders, build_root

VIEW_TRANSFORM = "Standard"  # the one that shows a photo's colours as they are


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


def build(
    reconstruction: Reconstruction,
    scene: bpy.types.Scene | None = None,
    *,
    settings: BuildSettings = BuildSettings(),
    progress: Progress = no_progress,
    cancel: Cancel = never,
) -> BuiltCapture:
    """Build `reconstruction` in `scene` (default: the current one) as a collection of its own.

    An empty scene also gets the Standard view transform and starts at the reference view, at its photo's size; a scene
    with content keeps its settings, and a warning says what follows. After an error, or `Cancelled`, nothing is left.
    """
    scene = scene or bpy.context.scene
    empty = len(scene.objects) == 0
    with all_or_nothing():
        placement = place(reconstruction)
        built = _build(reconstruction, placement, settings, progress, cancel)
        scene.collection.children.link(built.collection)
        for layer in scene.view_layers:
            layer.update()  # so that matrix_world holds for whoever asks next
        check(cancel)
    if empty:
        _open_scene(scene, built, reconstruction)
    elif scene.view_settings.view_transform != VIEW_TRANSFORM:
        sentence = (
            f"This scene's view transform is {scene.view_settings.view_transform}, which changes the photos' colours; "
            f"set it to {VIEW_TRANSFORM} under Render Properties > Color Management to see them as they are."
        )
        built = replace(built, warnings=(*built.warnings, sentence))
    progress("Scene", 1.0)
    return built


def _build(
    reconstruction: Reconstruction, placement: Placement, settings: BuildSettings, progress: Progress, cancel: Cancel
) -> BuiltCapture:
    """All datablocks of the capture, linked to each other and to no scene yet."""
    check(cancel)
    name = datablock_name(settings.name or _name(reconstruction))
    collection = bpy.data.collections.new(name)
    root = build_root(reconstruction, placement, name, collection)
    cloud = reconstruction.points if settings.points else None
    radius = settings.radius_in_spacings * cloud.spacing if cloud is not None else None
    add_sliders(root, settings.confidence_threshold, settings.cut_depth_edges, radius)

    loaded = [images.load_photo(view) for view in reconstruction.views]
    photos = [image for image, _ in loaded]
    warnings = tuple(warning for _, warning in loaded if warning)

    group = _child(collection, "Cameras")
    cameras = []
    for view, photo in zip(reconstruction.views, photos, strict=True):
        progress("Cameras", 0.1 * len(cameras) / len(photos))
        check(cancel)
        cameras.append(build_camera(view, placement, root, photo, group))

    progress("Points", 0.1)
    check(cancel)
    points = None
    if cloud is not None and len(cloud.position):
        points = build_points(cloud, placement, root, f"{name} points", _child(collection, "Points"))

    reliefs = []
    if settings.reliefs and any(view.depth is not None for view in reconstruction.views):
        group = _child(collection, "Reliefs")
        meshes = ReliefMeshes(placement)
        for index, (view, photo) in enumerate(zip(reconstruction.views, photos, strict=True)):
            progress("Reliefs", 0.3 + 0.6 * index / len(photos))
            check(cancel)
            reliefs.append(build_relief(view, meshes, root, photo, group))
    if settings.pack:
        images.pack(photos)
    progress("Scene", 0.9)
    check(cancel)
    made = tuple(relief for relief in reliefs if relief is not None)
    return BuiltCapture(collection, root, tuple(cameras), points, made, warnings)


def _name(reconstruction: Reconstruction) -> str:
    folders = {view.original.absolute().parent.name for view in reconstruction.views}
    return folders.pop() if len(folders) == 1 and "" not in folders else "Capture"


def _child(parent: bpy.types.Collection, name: str) -> bpy.types.Collection:
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    return collection


def _open_scene(scene: bpy.types.Scene, built: BuiltCapture, reconstruction: Reconstruction) -> None:
    """An empty scene opens on the reference photo, in its own colours."""
    scene.view_settings.view_transform = VIEW_TRANSFORM
    scene.view_settings.look = "None"
    if built.cameras:
        look_through(built.cameras[reconstruction.reference], scene)
        viewports.open_on_camera(scene, built.cameras[reconstruction.reference])
