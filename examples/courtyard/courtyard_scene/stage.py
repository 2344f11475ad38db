"""The Blender side: meshes from shapes, sun and sky, the camera, and rendering."""

import tempfile
from pathlib import Path

import bpy
import mathutils
import numpy as np

from .cameras import FOCAL, LONG_SIDE, Camera
from .layout import courtyard
from .materials import material
from .noise import Array, Float
from .shapes import Shape

LENS_SOFTNESS = 4.5  # pixels: width of the pixel filter; a lens and sensor are never as sharp as a renderer
SENSOR = 36.0  # millimetres: Blender's sensor along the photo's long side, so that its lens is the 35 mm equivalent


def build(spacing: float) -> bpy.types.Scene:
    """Empty Blender and build the courtyard with sun, sky and a camera; vertices `spacing` metres apart."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    for name, (shape, grain) in courtyard(spacing).items():
        scene.collection.objects.link(bpy.data.objects.new(name, mesh(name, shape, material(name, grain))))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.sensor_fit, camera.data.sensor_width = "AUTO", SENSOR
    camera.data.lens = FOCAL * SENSOR / LONG_SIDE
    camera.data.clip_start, camera.data.clip_end = 0.05, 200.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    light(scene)
    return scene


def mesh(name: str, shape: Shape, surface: bpy.types.Material) -> bpy.types.Mesh:
    """A smooth-shaded mesh with the attributes that the material reads."""
    made = bpy.data.meshes.new(name)
    count, faces = len(shape.vertices), len(shape.quads)
    made.vertices.add(count)
    made.vertices.foreach_set("co", shape.vertices.astype(np.float32).ravel())
    made.loops.add(4 * faces)
    made.loops.foreach_set("vertex_index", shape.quads.astype(np.int32).ravel())
    made.polygons.add(faces)
    made.polygons.foreach_set("loop_start", np.arange(0, 4 * faces, 4, dtype=np.int32))
    # Cycles finds no attribute that is called "color", hence tint.
    color = np.concatenate([np.clip(shape.color, 0.004, 0.9), np.ones((count, 1))], axis=1)
    made.attributes.new("tint", "FLOAT_COLOR", "POINT").data.foreach_set("color", color.astype(np.float32).ravel())
    place = made.attributes.new("texture", "FLOAT_VECTOR", "POINT")
    place.data.foreach_set("vector", shape.texture.astype(np.float32).ravel())
    made.polygons.foreach_set("use_smooth", np.ones(faces, bool))
    made.update(calc_edges=True)
    made.materials.append(surface)
    return made


def light(scene: bpy.types.Scene) -> None:
    """A warm afternoon sun from behind the photographer's left, and a sky with clouds."""
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 5.2, np.radians(0.6), (1.0, 0.86, 0.68)
    towards = mathutils.Vector((-0.42, 0.62, -0.78))
    sun.rotation_euler = towards.to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("sky")
    if world.node_tree is None:
        world.use_nodes = True
    scene.world, nodes, links = world, world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    place = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    clouds = nodes.new("ShaderNodeTexNoise")
    clouds.inputs["Scale"].default_value, clouds.inputs["Detail"].default_value = 3.0, 8.0
    links.new(place, clouds.inputs["Vector"])
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[0].color = 0.42, (0.20, 0.38, 0.72, 1)
    ramp.color_ramp.elements[1].position, ramp.color_ramp.elements[1].color = 0.66, (0.86, 0.87, 0.90, 1)
    links.new(clouds.outputs[0], ramp.inputs[0])
    background, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    background.inputs["Strength"].default_value = 1.1
    links.new(ramp.outputs[0], background.inputs["Color"])
    links.new(background.outputs[0], output.inputs["Surface"])


def look_through(scene: bpy.types.Scene, camera: Camera, fraction: float) -> None:
    """Put Blender's camera where the photo was taken and set the picture's size to a fraction of the photo's."""
    world_from_camera = np.linalg.inv(camera.camera_from_world) @ np.diag([1.0, -1.0, -1.0, 1.0])
    scene.camera.matrix_world = mathutils.Matrix(world_from_camera.tolist())
    scene.render.resolution_x, scene.render.resolution_y = (round(side * fraction) for side in camera.size)
    scene.render.resolution_percentage = 100


def photograph(scene: bpy.types.Scene, camera: Camera, samples: int, fraction: float = 1.0) -> Array:
    """The upright picture as sRGB bytes (height, width, 3), path traced and denoised."""
    look_through(scene, camera, fraction)
    _cycles(scene, samples, LENS_SOFTNESS)
    scene.cycles.use_denoising, scene.cycles.denoising_prefilter = samples > 1, "FAST"
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "photo.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return np.round(_pixels(scene.render.filepath)[..., :3] * 255).astype(np.uint8)


def measure_depth(scene: bpy.types.Scene, camera: Camera, fraction: float = 0.25) -> Float:
    """The true depth along the optical axis in metres, (height, width) upright; 0 where the sky is.

    One ray through the centre of each pixel of a picture a `fraction` of the photo's size.
    """
    look_through(scene, camera, fraction)
    _cycles(scene, 1, 0.01)
    scene.cycles.use_denoising = False
    scene.view_layers[0].use_pass_z = True
    with tempfile.TemporaryDirectory() as folder:
        _write_depth_pass(scene, folder)
        bpy.ops.render.render(scene=scene.name)
        (path,) = Path(folder).iterdir()
        depth = _pixels(str(path))[..., 0].astype(np.float64)
    _no_compositor(scene)
    return np.where(depth < 1e4, depth, 0.0)


def _cycles(scene: bpy.types.Scene, samples: int, filter_width: float) -> None:
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", samples, 1
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", filter_width
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces = 3, 2
    scene.cycles.sample_clamp_indirect = 4.0
    # The sky's importance map costs more than a picture of one sample gains from it.
    scene.world.cycles.sampling_method = "AUTOMATIC" if samples > 1 else "NONE"
    scene.render.use_persistent_data = True


def _write_depth_pass(scene: bpy.types.Scene, folder: str) -> None:
    """A compositor that writes the depth pass into a folder; the way to say so changed with Blender 5.0."""
    new = bpy.app.version >= (5, 0, 0)
    if new:
        tree = scene.compositing_node_group = bpy.data.node_groups.new("depth", "CompositorNodeTree")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeOutputFile")
    if new:
        output.directory, output.file_name, output.format.media_type = folder, "", "IMAGE"
        output.file_output_items.new("FLOAT", "Depth")
    else:
        output.base_path = folder
        output.file_slots.clear()
        output.file_slots.new("Depth")
    output.format.file_format, output.format.color_depth = "OPEN_EXR", "32"
    tree.links.new(layers.outputs["Depth"], output.inputs["Depth"])


def _no_compositor(scene: bpy.types.Scene) -> None:
    if bpy.app.version >= (5, 0, 0):
        bpy.data.node_groups.remove(scene.compositing_node_group)
    else:
        scene.use_nodes = False


def _pixels(path: str) -> Array:
    """A picture file's values as stored, (height, width, 4) float32, first row at the top."""
    image = bpy.data.images.load(path)
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    width, height = image.size
    bpy.data.images.remove(image)
    return values.reshape(height, width, -1)[::-1]
