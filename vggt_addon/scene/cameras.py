"""Cameras that see exactly what their photos show.

Blender's camera has square pixels and a lens in millimetres on a sensor of which one side is fixed. We fix the photo's
long side at 36 mm, so that the lens reads as a photographer's 35 mm equivalent in both orientations and the view stays
right when a photo of the other orientation is rendered. With D the long side in pixels (W or H) and f the focal length
along it:

    lens = f * 36 / D,   shift_x = (W/2 - cx) / D,   shift_y = (cy - H/2) / D

Where fx and fy differ, the camera takes the long side's and `look_through` sets the render's pixel aspect to fx / fy.
This module imports nothing beyond the standard library, numpy, bpy and the room's neighbour reconstruction.
"""

import bpy
from mathutils import Matrix

from ..reconstruction import View
from .datablocks import claim, datablock_name
from .placement import Placement
from .root import CAMERA, PART

SENSOR = 36.0  # millimetres along the photo's long side
CLIP_START = 1e-3  # of the typical distance between cameras and scene
CLIP_END = 1e3  # of that distance; more where the scene reaches farther
DISPLAY_SIZE = 0.12  # of that distance
NEARLY_SQUARE = 1e-6  # a pixel aspect closer to 1 than this is 1


def build_camera(
    view: View, placement: Placement, root: bpy.types.Object, image: bpy.types.Image, collection: bpy.types.Collection
) -> bpy.types.Object:
    """A camera for `view`, child of `root`, in `collection`, with `image` behind what it sees."""
    data = claim(bpy.data.cameras.new(datablock_name(view.name)))
    _set_lens(data, view)
    data.clip_start = CLIP_START * placement.distance * placement.scale
    data.clip_end = max(CLIP_END * placement.distance, 2 * placement.reach) * placement.scale
    data.display_size = DISPLAY_SIZE * placement.distance
    camera = claim(bpy.data.objects.new(datablock_name(view.name), data))
    collection.objects.link(camera)
    camera.parent = root
    camera.rotation_mode = "QUATERNION"
    pose = placement.local_from_camera(view.camera_from_world)
    camera.location = pose[:3, 3]
    camera.rotation_quaternion = Matrix(pose[:3, :3].tolist()).to_quaternion()
    camera[PART] = CAMERA
    camera["photo"] = view.name
    camera["identity"] = view.identity
    camera["photo_width"] = view.width
    camera["photo_height"] = view.height
    camera["pixel_aspect"] = _pixel_aspect(view)
    camera["focal_uncertain"] = view.report.focal_uncertain
    _set_background(data, image, _pixel_aspect(view))
    return camera


def look_through(camera: bpy.types.Object, scene: bpy.types.Scene | None = None) -> None:
    """Make `camera` the active one of `scene` (default: the current one) and render at exactly its photo's size."""
    scene = scene or bpy.context.scene
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y = camera["photo_width"], camera["photo_height"]
    render.resolution_percentage = 100
    aspect = camera["pixel_aspect"]  # fx / fy; Blender wants both of its numbers at 1 or above
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1.0 / aspect), max(1.0, aspect)


def _pixel_aspect(view: View) -> float:
    """How tall a pixel is over how wide: fx / fy, since a focal length in pixels is one over a pixel's size."""
    aspect = float(view.intrinsics[0, 0] / view.intrinsics[1, 1])
    return 1.0 if abs(aspect - 1.0) < NEARLY_SQUARE else aspect


def _set_lens(data: bpy.types.Camera, view: View) -> None:
    width, height = view.width, view.height
    center_x, center_y = view.intrinsics[0, 2], view.intrinsics[1, 2]
    if width >= height:
        data.sensor_fit, long_side, focal = "HORIZONTAL", width, view.intrinsics[0, 0]
        # A shift is counted in long sides; a pixel that is not square is `aspect` times as tall as it is wide.
        tall, wide = _pixel_aspect(view), 1.0
    else:
        data.sensor_fit, long_side, focal = "VERTICAL", height, view.intrinsics[1, 1]
        tall, wide = 1.0, 1.0 / _pixel_aspect(view)
    data.sensor_width = SENSOR * width * wide / long_side
    data.sensor_height = SENSOR * height * tall / long_side
    data.lens = focal * SENSOR / long_side
    data.shift_x = (width / 2 - center_x) * wide / long_side
    data.shift_y = (center_y - height / 2) * tall / long_side


def _set_background(data: bpy.types.Camera, image: bpy.types.Image, pixel_aspect: float) -> None:
    """The photo behind the scene, opaque: what the artist adds stands before it, as in the finished picture.

    FIT keeps it in place in a render that is larger than the photo in one direction, since the camera fixes the long
    side; pixels that are not square need STRETCH, which fills the frame whatever its shape.
    """
    background = data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "FIT" if pixel_aspect == 1.0 else "STRETCH"
    data.show_background_images = True
